// The run of `put`: waits for the stream, then puts batch after batch from a source and shows
// progress.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import { kinesisClient } from "../aws/kinesisClient.ts";
import { awsOptions } from "../aws/options.ts";
import type { Clock } from "../clock.ts";
import type { Event } from "../events.ts";
import { UserError } from "../model/errors.ts";
import { counted } from "../plural.ts";
import { putRecords } from "../producer/putRecords.ts";
import { ensureStream } from "./ensureStream.ts";
import { explain } from "./explain.ts";
import { Progress, type ProgressOutput } from "./progress.ts";
import { type Lines, pacedLines, type Rounds, rounds } from "./sources.ts";

export interface PutRun {
  readonly streamName: string;
  readonly createWithShards?: number;
  readonly endpoint?: string;
  readonly region?: string;
  /** The number of records to put; all records of the source when absent. */
  readonly count?: number;
  readonly source: Rounds | Lines;
  readonly partitionKey: (data: Uint8Array) => string;
  readonly output: ProgressOutput;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Returns when the source ends, when the count is reached, or when the signal is aborted.
 *
 * @throws UserError, see `explain`.
 */
export async function putFrom(run: PutRun): Promise<void> {
  const emit = (event: Event) => {
    if (event.type === "configWarning") run.output.write(`${event.message}\n`);
  };
  const reach = {
    ...(run.endpoint ? { endpoint: run.endpoint } : {}),
    ...(run.region ? { region: run.region } : {}),
    credentials: [{ type: "default" }],
  } as const;
  const services = { kinesis: reach, dynamodb: reach, cloudwatch: reach };
  const options = await awsOptions({ services }, "kinesis", { emit }).catch((error: unknown) => {
    // The message names a property key; `put` has an option instead.
    if (!(error instanceof UserError) || run.region) throw error;
    throw new UserError(`${error.message}. Or give --region.`, { cause: error });
  });
  const client = kinesisClient(options);
  try {
    await work(client, run);
  } catch (error) {
    const doing = `put records into stream ${run.streamName}`;
    throw explain(error, { doing, endpoint: options.endpoint ?? `AWS (${options.region})` });
  } finally {
    client.destroy();
  }
}

async function work(client: KinesisClient, run: PutRun): Promise<void> {
  const { streamName, createWithShards, output, clock, signal } = run;
  const wanted = { streamName, ...(createWithShards ? { createWithShards } : {}) };
  const found = await ensureStream(client, wanted, signal, clock);
  if (found.created)
    output.write(`Created stream ${streamName} with ${counted(found.openShards, "shard")}\n`);
  else if (createWithShards && createWithShards !== found.openShards) {
    output.write(
      `Stream ${streamName} exists already, with ${counted(found.openShards, "open shard")}\n`,
    );
  }
  const progress = new Progress(streamName, output, clock);
  let left = run.count ?? Number.POSITIVE_INFINITY;
  const batches =
    "words" in run.source
      ? rounds(run.source, clock, signal)
      : pacedLines(run.source, clock, signal);
  try {
    for await (const batch of batches) {
      const records = batch
        .slice(0, left)
        .map((data) => ({ data, partitionKey: run.partitionKey(data) }));
      const onStored = progress.stored.bind(progress);
      progress.ended(await putRecords(client, streamName, records, { signal, clock, onStored }));
      left -= records.length;
      if (left <= 0 || signal.aborted) break;
    }
  } finally {
    progress.finish();
  }
}
