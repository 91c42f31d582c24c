// The port through which a shard is read. Polling and enhanced fan-out stand behind it.

import type { Batch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import type { HashKeyRange } from "../model/shard.ts";

/** The shard to read. `hashKeyRange` filters aggregates that belong to another shard; absent = no filter. */
export interface ShardToRead {
  readonly shardId: string;
  readonly hashKeyRange?: HashKeyRange;
  /** The moment that LATEST means, by our clock in milliseconds since 1970; absent = now. */
  readonly latestSinceMs?: number;
}

/**
 * The records of a shard from a position on, KPL aggregates taken apart, batch by batch; the next batch is fetched
 * while the caller works on the last one. Starting from a sequence number begins *at* it: records up to and
 * including the exact position are dropped.
 *
 * Ends after the batch with `shardEnd`, or when the signal is aborted. Trouble with the service is retried
 * for ever, with events; it never throws for what time or the operator can mend.
 */
export type ReadShard = (
  shard: ShardToRead,
  from: Position,
  signal: AbortSignal,
) => AsyncIterable<Batch>;
