// The port through which a shard is read. Polling and enhanced fan-out implement it.

import type { Batch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import type { HashKeyRange } from "../model/shard.ts";

/** The shard to read. `hashKeyRange` filters aggregates of other shards; absent = no filter. */
export interface ShardToRead {
  readonly shardId: string;
  readonly hashKeyRange?: HashKeyRange;
  /** The moment that LATEST means, on our clock in milliseconds since 1970; absent = now. */
  readonly latestSinceMs?: number;
}

/**
 * Yields the records of a shard after a position, batch by batch, with KPL aggregates taken apart. The
 * next batch is fetched while the caller works on the last one. From a sequence number, reading
 * begins *at* it, and records up to and including the exact position are dropped.
 *
 * It ends after the batch with `shardEnd`, or when the signal is aborted. Failures of the service are
 * retried without limit, with events. It does not throw for what passes, or what the operator can
 * repair.
 */
export type ReadShard = (
  shard: ShardToRead,
  from: Position,
  signal: AbortSignal,
) => AsyncIterable<Batch>;
