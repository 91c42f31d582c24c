// Reports neglected shards that this worker may not take because it holds maxLeasesForWorker
// leases. The report is repeated while such shards exist, after pauses that double up to an hour.

import type { Emit } from "../../events.ts";

const FIRST_PAUSE_MS = 60_000;
const LONGEST_PAUSE_MS = 3_600_000;

export class LeaseLimit {
  readonly #maxLeasesForWorker: number;
  readonly #emit: Emit;
  #dueMs = Number.NEGATIVE_INFINITY;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(maxLeasesForWorker: number, emit: Emit) {
    this.#maxLeasesForWorker = maxLeasesForWorker;
    this.#emit = emit;
  }

  /**
   * @param shardIds the neglected shards now. After an empty list the next one is reported at once.
   */
  saw(shardIds: readonly string[], nowMs: number): void {
    if (shardIds.length === 0) {
      this.#dueMs = Number.NEGATIVE_INFINITY;
      this.#pauseMs = FIRST_PAUSE_MS;
    } else if (nowMs >= this.#dueMs) {
      const maxLeasesForWorker = this.#maxLeasesForWorker;
      this.#emit({ type: "leasesBeyondLimit", shardIds, maxLeasesForWorker });
      this.#dueMs = nowMs + this.#pauseMs;
      this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
    }
  }
}
