// When was a lease renewed last? A row carries no time, only a counter: so one watches, and knows no more than between
// which two looks the counter moved, or for how long it has not.

import type { Lease } from "../leases/lease.ts";

/** What watching has told of a lease: bounds for the time since its last renewal. */
export interface Renewal {
  /** So long ago at least. */
  readonly atLeastMs: number;
  /** So long ago at most; absent when it was not renewed while we watched. */
  readonly atMostMs?: number;
}

interface Watched {
  readonly counter: number;
  /** When the last look that still showed another counter began; `undefined` = none did. */
  readonly beforeMs: number | undefined;
  /** When the first look that showed this one was over. */
  readonly sinceMs: number;
}

export class LeaseWatch {
  #watched: ReadonlyMap<string, Watched> = new Map();
  #lastMs = 0;

  /** @param startMs, endMs monotonic times of the scan: each row was read somewhere between. */
  look(leases: readonly Lease[], startMs: number, endMs: number): void {
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

  /** As of the last look; `undefined` for a lease that it did not show. */
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
