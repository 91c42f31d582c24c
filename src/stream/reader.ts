// The port through which a shard is read. Polling and enhanced fan-out implement it.

import type { Batch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import type { HashKeyRange } from "../model/shard.ts";

export interface ShardToRead {
  readonly shardId: string;
  /** Aggregates with a record outside this range are dropped. Absent = no check. */
  readonly hashKeyRange?: HashKeyRange;
  /** The time that LATEST stands for, in milliseconds since 1970 on our clock. Absent = now. */
  readonly latestSinceMs?: number;
}

/**
 * Yields the records of a shard after a position, with KPL aggregates split into user records. It
 * fetches the next batches while the consumer works on the current one. From a sequence number,
 * reading starts *at* it, and records up to and including the exact position are dropped.
 *
 * Ends after the batch with `shardEnd`, or when the signal is aborted. Failed calls are retried
 * without limit and reported as events. It does not throw for failures that may pass or that an
 * operator can correct.
 */
export type ReadShard = (
  shard: ShardToRead,
  from: Position,
  signal: AbortSignal,
) => AsyncIterable<Batch>;
