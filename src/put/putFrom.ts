// The run of `put`: waits for the stream, then puts the records of a source with the producer, one
// Kinesis record each, and shows progress. The first record that fails ends the run.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import { kinesisClient } from "../aws/kinesisClient.ts";
import { awsOptions } from "../aws/options.ts";
import type { Clock } from "../clock.ts";
import type { Emit, Event } from "../events.ts";
import { UserError } from "../model/errors.ts";
import { counted } from "../plural.ts";
import { ProducerCore } from "../producer/core.ts";
import { type Failed, NOT_STORED } from "../producer/record.ts";
import { DEFAULT_SETTINGS, type ProducerSettings } from "../producer/settings.ts";
import { kinesisCalls } from "../producer/streamCalls.ts";
import { anySignal, unlessAborted } from "../signals.ts";
import { ensureStream } from "./ensureStream.ts";
import { explain } from "./explain.ts";
import { feed } from "./feed.ts";
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

/** How long nothing may be stored while attempts fail. A burst would be over by then. */
const GIVE_UP_MS = 30_000;
/** The longest wait for the call in flight after Ctrl-C. No other one begins. */
const LAST_CALL_MS = 30_000;

/** One call at a time, with whatever waits. */
const SETTINGS: ProducerSettings = {
  ...DEFAULT_SETTINGS,
  aggregationEnabled: false,
  recordMaxBufferedTime: 0,
  // As fast as the service accepts: an emulator has no limits.
  rateLimit: 100_000,
  ordering: "none",
  maxConnections: 1,
  // The records of a call, and of the next one.
  maxInFlightBytes: 2 * DEFAULT_SETTINGS.collectionMaxSize,
};

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
  // The producer retries itself.
  const putting = kinesisClient({ ...options, maxAttempts: 1 });
  try {
    await work(client, putting, run);
  } catch (error) {
    const doing = `put records into stream ${run.streamName}`;
    throw explain(error, { doing, endpoint: options.endpoint ?? `AWS (${options.region})` });
  } finally {
    client.destroy();
    putting.destroy();
  }
}

async function work(client: KinesisClient, putting: KinesisClient, run: PutRun): Promise<void> {
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
  const failure = new AbortController();
  let unsent = 0;
  const onFailed = (_: number, failed: Failed) => {
    unsent += 1;
    if (failed.errorCode !== NOT_STORED) failure.abort(notPut(streamName, failed));
  };
  const emit = watch(progress, clock, (error) => failure.abort(notPut(streamName, error)));
  const callsOf = (name: string) => kinesisCalls(putting, name);
  const core = new ProducerCore({ settings: SETTINGS, callsOf, clock, emit });
  const stop = anySignal(signal, failure.signal);
  try {
    const batches = upTo(run.count ?? Number.POSITIVE_INFINITY, batchesOf(run, stop.signal));
    const { partitionKey } = run;
    await feed({
      core,
      streamName,
      batches,
      partitionKey,
      progress,
      onFailed,
      signal: stop.signal,
    });
    await unlessAborted(core.flush(), stop.signal);
  } finally {
    stop.release();
    await core.close(0, LAST_CALL_MS);
    progress.finish(unsent);
  }
  failure.signal.throwIfAborted();
}

/** @returns a listener that gives up when attempts have failed for a while without success. */
function watch(progress: Progress, clock: Clock, giveUp: (error: Refusal) => void): Emit {
  let [stored, sinceMs] = [-1, 0];
  return (event) => {
    if (event.type !== "putThrottled" && event.type !== "putCallFailed") return;
    if (progress.total !== stored) [stored, sinceMs] = [progress.total, clock.monotonicMs()];
    if (clock.monotonicMs() - sinceMs < GIVE_UP_MS) return;
    const message = `nothing was stored in the last ${GIVE_UP_MS / 1000} s`;
    giveUp(
      event.type === "putThrottled"
        ? { errorCode: THROTTLED, message: `${message}. ${SHARD_LIMIT}` }
        : { ...event, message: `${event.errorMessage}; ${message}` },
    );
  };
}

function batchesOf({ source, clock }: PutRun, signal: AbortSignal) {
  return "words" in source ? rounds(source, clock, signal) : pacedLines(source, clock, signal);
}

async function* upTo(
  count: number,
  batches: AsyncIterable<readonly Buffer[]>,
): AsyncGenerator<readonly Buffer[]> {
  let left = count;
  for await (const batch of batches) {
    yield batch.slice(0, left);
    left -= batch.length;
    if (left <= 0) return;
  }
}

type Refusal = Pick<Failed, "errorCode" | "message">;

const THROTTLED = "ProvisionedThroughputExceededException";
const SHARD_LIMIT =
  "A shard accepts 1,000 records and 1 MiB per second: lower --rate, or add shards.";

function notPut(streamName: string, { errorCode, message }: Refusal): UserError {
  return new UserError(`Could not put records into stream ${streamName}: ${errorCode}: ${message}`);
}
