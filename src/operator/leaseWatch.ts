// Finds out when each lease was last renewed. A row holds a counter but no time. So we read the
// table repeatedly, and know only between which two reads the counter changed, or for how long it
// has not changed.

import type { Lease } from "../leases/lease.ts";

/** Bounds for the time since the last renewal of a lease. */
export interface Renewal {
  /** The last renewal is at least this long ago. */
  readonly atLeastMs: number;
  /** The last renewal is at most this long ago; absent when we have seen no renewal. */
  readonly atMostMs?: number;
}

interface Watched {
  readonly counter: number;
  /** The start of the last read that showed another counter; `undefined` when no read did. */
  readonly beforeMs: number | undefined;
  /** The end of the first read that showed this counter. */
  readonly sinceMs: number;
}

export class LeaseWatch {
  #watched: ReadonlyMap<string, Watched> = new Map();
  #lastMs = 0;

  /**
   * @param startMs, endMs monotonic times of the scan: each row was read at some time between them.
   */
  add(leases: readonly Lease[], startMs: number, endMs: number): void {
    const beforeMs = this.#lastMs;
    this.#watched = new Map(
      leases.map(({ shardId, counter }): [string, Watched] => {
        const known = this.#watched.get(shardId);
        if (known?.counter === counter) return [shardId, known];
        return [shardId, { counter, beforeMs: known && beforeMs, sinceMs: endMs }];
      }),
    );
    this.#lastMs = startMs;
  }

  /** As of the last read; `undefined` for a lease that it did not contain. */
  renewal(shardId: string): Renewal | undefined {
    const watched = this.#watched.get(shardId);
    if (!watched) return undefined;
    const { beforeMs, sinceMs } = watched;
    return {
      atLeastMs: Math.max(0, this.#lastMs - sinceMs),
      ...(beforeMs !== undefined && { atMostMs: Math.max(0, this.#lastMs - beforeMs) }),
    };
  }
}
