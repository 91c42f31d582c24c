// Runs one loop per shard that fetches batches ahead while the consumer works on the current batch,
// within a byte budget that all shards share.

import { setMaxListeners } from "node:events";
import type { Clock } from "../clock.ts";
import { type Batch, joined } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import { BatchQueue } from "./batchQueue.ts";
import type { ByteBudget, ByteShare } from "./budget/byteBudget.ts";
import type { ReadShard, ShardToRead } from "./reader.ts";

export interface Fetching {
  /** The service decides the size of a batch, which may be small: merge batches that wait. */
  readonly inPieces: boolean;
  /** Puts batches into the queue and counts their bytes in the share, until the shard ends. */
  readonly fetch: (
    shard: ShardToRead,
    from: Position,
    share: ByteShare,
    queue: BatchQueue,
    signal: AbortSignal,
  ) => Promise<void>;
  /** Called when the shard is no longer read. */
  readonly left: (shardId: string) => void;
  readonly clock: Clock;
}

export function readAhead(
  budget: ByteBudget,
  { inPieces, fetch, left, clock }: Fetching,
): ReadShard {
  return async function* batches(shard, from, signal): AsyncGenerator<Batch> {
    if (signal.aborted) return;
    // The loops of many shards listen to the same signal.
    setMaxListeners(0, signal);
    const share = budget.join();
    const queue = new BatchQueue();
    const stop = new AbortController();
    const onAbort = () => stop.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const fetching = fetch(shard, from, share, queue, stop.signal).then(
      () => queue.end(),
      (error: unknown) => queue.end({ error }),
    );
    try {
      for (;;) {
        const [first, ...more] = await queue.take(inPieces, stop.signal);
        if (!first) return;
        const batch = joined(first, ...more);
        let heldBytes = batch.records.memoryBytes;
        const givenMs = clock.monotonicMs();
        const release = () => {
          share.release(heldBytes);
          heldBytes = 0;
        };
        // All empty batches are one shared object, which is never freed.
        if (heldBytes > 0) batch.records.whenFreed(release);
        yield batch;
        release();
        queue.worked(clock.monotonicMs() - givenMs);
        if (batch.shardEnd) return;
      }
    } finally {
      signal.removeEventListener("abort", onAbort);
      stop.abort();
      await fetching;
      share.leave();
      left(shard.shardId);
    }
  };
}
