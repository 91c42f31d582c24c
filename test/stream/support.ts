// Helpers for tests of reading: a reader of the shared emulator or of a proxy, and its batches as
// values.

import { inject } from "vitest";
import { kinesisClient } from "../../src/aws/kinesisClient.ts";
import { systemClock } from "../../src/clock.ts";
import type { Event } from "../../src/events.ts";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import type { Batch, KinesisRecord } from "../../src/model/batch.ts";
import type { Position } from "../../src/model/position.ts";
import type { InitialPosition } from "../../src/model/shard.ts";
import { ByteBudget } from "../../src/stream/budget/byteBudget.ts";
import { pollingReader } from "../../src/stream/polling/pollingReader.ts";
import type { ReadShard } from "../../src/stream/reader.ts";

export const HORIZON: Position = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 };
export const LATEST: Position = { sequenceNumber: "LATEST", subSequenceNumber: 0 };
/** The shard of a new stream with a single shard. */
export const FIRST_SHARD = "shardId-000000000000";

export interface ReaderOptions {
  readonly endpoint?: string;
  readonly maxRecords?: number;
  readonly initialPosition?: InitialPosition;
  readonly requestTimeoutMs?: number;
  readonly budget?: ByteBudget;
  readonly aggregateHashRangeCheck?: "drop" | "deliver";
  readonly keepsMisplaced?: boolean;
}

export function localClient(endpoint: string = inject("kinesisUrl")) {
  return kinesisClient({
    endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    maxAttempts: 1,
  });
}

/** A reader and the events that it has emitted so far. */
export function localReader(
  streamName: string,
  options: ReaderOptions = {},
): { readonly read: ReadShard; readonly events: Event[] } {
  const events: Event[] = [];
  const read = pollingReader({
    client: localClient(options.endpoint),
    stream: { streamName },
    initialPosition: options.initialPosition ?? { type: "TRIM_HORIZON" },
    settings: {
      maxRecords: options.maxRecords ?? 10_000,
      idleTimeBetweenReadsInMillis: undefined,
      ...(options.requestTimeoutMs && { requestTimeoutMs: options.requestTimeoutMs }),
    },
    budget: options.budget ?? new ByteBudget(64 * 1024 * 1024),
    clock: systemClock,
    aggregateHashRangeCheck: options.aggregateHashRangeCheck ?? "drop",
    keepsMisplaced: options.keepsMisplaced ?? false,
    emit: (event) => events.push(event),
  });
  return { read, events };
}

/** Collects batches until there are enough. */
export async function take(
  batches: AsyncIterable<Batch>,
  enough: (batches: readonly Batch[]) => boolean,
): Promise<Batch[]> {
  const taken: Batch[] = [];
  for await (const batch of batches) {
    taken.push(batch);
    if (enough(taken)) break;
  }
  return taken;
}

/** Enough when this number of records was collected. */
export const records = (count: number) => (batches: readonly Batch[]) =>
  recordsOf(batches).length >= count;

export function recordsOf(batches: readonly Batch[]): KinesisRecord[] {
  return batches.flatMap(({ records }) =>
    Array.from({ length: records.count }, (_, index) => records.at(index)),
  );
}

/** The payloads as text. */
export function wordsOf(batches: readonly Batch[]): string[] {
  return recordsOf(batches).map(({ data }) => Buffer.from(data, "base64").toString());
}

export const words = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${prefix} ${index}`);

/** A promise that `open` resolves. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
