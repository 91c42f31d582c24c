// For each shard one loop fetches ahead, within the budget that all share, while the caller works on the batch before.

import { setMaxListeners } from "node:events";
import type { Batch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import { BatchQueue } from "./batchQueue.ts";
import type { ByteBudget, ByteShare } from "./byteBudget.ts";
import type { ReadShard, ShardToRead } from "./reader.ts";

export interface Fetching {
  /** Puts batches into the queue, and counts them in its share, until the shard ends or the signal is aborted. */
  readonly fetch: (
    shard: ShardToRead,
    from: Position,
    share: ByteShare,
    queue: BatchQueue,
    signal: AbortSignal,
  ) => Promise<void>;
  /** The shard is not read any longer. */
  readonly left: (shardId: string) => void;
}

export function readAhead(budget: ByteBudget, { fetch, left }: Fetching): ReadShard {
  return async function* batches(shard, from, signal): AsyncGenerator<Batch> {
    if (signal.aborted) return;
    // Many shards may listen to one signal.
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
        const batch = await queue.take(stop.signal);
        if (!batch) return;
        yield batch;
        share.release(batch.records.json.length);
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
