// Reads shards by GetRecords. For each shard one loop fetches ahead, within the budget that all share, while the
// caller works on the batch before.

import { setMaxListeners } from "node:events";
import type { KinesisClient } from "@aws-sdk/client-kinesis";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { Batch } from "../model/batch.ts";
import type { InitialPosition } from "../model/shard.ts";
import { BatchQueue } from "./batchQueue.ts";
import type { ByteBudget } from "./byteBudget.ts";
import type { PollingSettings } from "./pollingSettings.ts";
import type { ReadShard } from "./reader.ts";
import { type FetchContext, ShardFetch } from "./shardFetch.ts";
import type { StreamId } from "./streamId.ts";
import { Troubles } from "./troubles.ts";

export interface PollingOptions {
  /** With `maxAttempts: 1`: what fails is tried again here, where it is known for which shard. */
  readonly client: KinesisClient;
  readonly stream: StreamId;
  /** Its time is where a position of AT_TIMESTAMP points. */
  readonly initialPosition: InitialPosition;
  readonly settings: PollingSettings;
  /** Shared by all shards of the daemon. */
  readonly budget: ByteBudget;
  readonly clock: Clock;
  readonly emit: Emit;
}

const REQUEST_TIMEOUT_MS = 30_000;

export function pollingReader(options: PollingOptions): ReadShard {
  const { client, clock, emit, settings } = options;
  const context: FetchContext = {
    ...options,
    calls: { client, clock, requestTimeoutMs: settings.requestTimeoutMs ?? REQUEST_TIMEOUT_MS },
    troubles: new Troubles(emit, clock),
  };

  return async function* batches(shard, from, signal): AsyncGenerator<Batch> {
    if (signal.aborted) return;
    // Many shards may listen to one signal.
    setMaxListeners(0, signal);
    const share = options.budget.join();
    const queue = new BatchQueue();
    const stop = new AbortController();
    const onAbort = () => stop.abort(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const fetching = new ShardFetch(context, shard, from, share, queue).run(stop.signal).then(
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
      context.troubles.forget(shard.shardId);
    }
  };
}
