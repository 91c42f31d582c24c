// The putter's whole run: a stream that is ready, then batch after batch of a source, counted and shown.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import type { Clock } from "../clock.ts";
import { producerClient } from "./client.ts";
import { ensureStream } from "./ensureStream.ts";
import { explain } from "./explain.ts";
import { Progress, type ProgressOutput } from "./progress.ts";
import { putRecords } from "./putRecords.ts";
import { type Lines, pacedLines, type Rounds, rounds } from "./sources.ts";

export interface PutRun {
  readonly streamName: string;
  readonly createWithShards?: number;
  readonly endpoint?: string;
  readonly region?: string;
  /** How many records in all; absent = as many as the source has. */
  readonly count?: number;
  readonly source: Rounds | Lines;
  readonly partitionKey: (data: Uint8Array) => string;
  readonly output: ProgressOutput;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Returns when the source is at its end, the count is reached or the signal aborted. @throws UserError, see `explain`. */
export async function putFrom(run: PutRun): Promise<void> {
  const client = producerClient({
    ...(run.endpoint ? { endpoint: run.endpoint } : {}),
    ...(run.region ? { region: run.region } : {}),
  });
  try {
    await work(client, run);
  } catch (error) {
    const endpoint = run.endpoint ?? process.env["AWS_ENDPOINT_URL_KINESIS"] ?? "AWS";
    throw explain(error, { doing: `put records into stream ${run.streamName}`, endpoint });
  } finally {
    client.destroy();
  }
}

async function work(client: KinesisClient, run: PutRun): Promise<void> {
  const { streamName, createWithShards, output, clock, signal } = run;
  const wanted = { streamName, ...(createWithShards ? { createWithShards } : {}) };
  const found = await ensureStream(client, wanted, signal, clock);
  if (found.created) output.write(`Created stream ${streamName} with ${found.openShards} shards\n`);
  else if (createWithShards && createWithShards !== found.openShards) {
    output.write(`Stream ${streamName} is there already, with ${found.openShards} open shards\n`);
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
      progress.add(await putRecords(client, streamName, records, { signal, clock }));
      left -= records.length;
      if (left <= 0 || signal.aborted) break;
    }
  } finally {
    progress.finish();
  }
}
