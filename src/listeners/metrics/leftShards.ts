// The shards that this worker no longer reads. Their counters are kept for a while, so that
// whoever reads the metrics finds the last values, and then end: shards are born and end all the
// time. A shard that returns later counts from zero, as after a restart of the daemon.

import type { Event } from "../../events.ts";

/** Longer than the interval between two readings, and as long as the status page looks back. */
export const KEEP_MS = 15 * 60_000;

export class LeftShards {
  /** When each was left, the longest ago first. */
  readonly #leftMs = new Map<string, number>();

  saw(event: Event, nowMs: number): void {
    if (event.type === "leaseTaken") this.#leftMs.delete(event.shardId);
    if (event.type === "leaseLost" || event.type === "leaseReleased") {
      this.#leftMs.delete(event.shardId);
      this.#leftMs.set(event.shardId, nowMs);
    }
  }

  /** Removes and returns those that were left long ago. */
  takeLong(nowMs: number): readonly string[] {
    const taken = [...this.#leftMs].filter(([, leftMs]) => nowMs - leftMs >= KEEP_MS);
    for (const [shard] of taken) this.#leftMs.delete(shard);
    return taken.map(([shard]) => shard);
  }
}
