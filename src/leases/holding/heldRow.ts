// The row of a lease that this worker holds, and the only way to write to it. It guarantees two
// things. One writer at a time: writes wait in a queue, because each one names the counter that the
// last one wrote. A lost response is not a lost lease: after a conflict the row is read again, and
// if it is still ours the write is repeated on top of it.

import { within } from "../../signals.ts";
import { renewalIntervalMs } from "../decisions/trust.ts";
import type { Lease } from "../lease.ts";
import type { Surroundings } from "../surroundings.ts";
import { LeaseTableError, type WriteResult } from "../table.ts";
import { type Conflict, explain } from "./conflict.ts";

/** One conditional write, and the row after it (HeldRow raises the counter). */
export interface RowWrite {
  readonly write: (lease: Lease, signal: AbortSignal) => Promise<WriteResult>;
  readonly after: (lease: Lease) => Lease;
}

export type RowLost = Exclude<Conflict, { why: "ours" }>;

/** The second follows a lost response; a third is needed only if an operator restores old rows. */
const WRITE_ATTEMPTS = 3;

export class HeldRow {
  readonly #surroundings: Surroundings;
  /** The row as last known. */
  #lease: Lease;
  #writtenMs: number;
  /** The row after a write without response: DynamoDB may have this one instead of `#lease`. */
  #unconfirmed: Lease | undefined;
  /** Settles when the last queued write has ended. */
  #queue: Promise<unknown> = Promise.resolve();

  /** @param takenMs monotonic time at which the write began that made the lease ours. */
  constructor(lease: Lease, takenMs: number, surroundings: Surroundings) {
    this.#lease = lease;
    this.#writtenMs = takenMs;
    this.#surroundings = surroundings;
  }

  get lease(): Lease {
    return this.#lease;
  }

  /** Monotonic time at which the last successful write began. */
  get writtenMs(): number {
    return this.#writtenMs;
  }

  /** Runs `work` after everything queued before it, with exclusive access to the row. */
  inQueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  /**
   * Call it inside `inQueue`. Makes one attempt, and another one when it turns out that an earlier
   * write succeeded without a response.
   *
   * @throws LeaseTableError when nothing was written, or it is not known; try again.
   */
  async write(change: RowWrite, signal: AbortSignal): Promise<"written" | RowLost> {
    for (let attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
      const startMs = this.#surroundings.clock.monotonicMs();
      const next = change.after({ ...this.#lease, counter: this.#lease.counter + 1 });
      if ((await this.#attempt(change, next, signal)) === "written") {
        this.#lease = next;
        this.#unconfirmed = undefined;
        this.#writtenMs = startMs;
        return "written";
      }
      const now = await this.readAgain(signal);
      if (now.why !== "ours") return now;
    }
    throw new LeaseTableError(
      "unavailable",
      `DynamoDB refused ${WRITE_ATTEMPTS} writes in a row to the lease of ${this.#lease.shardId}, which this worker owns`,
    );
  }

  /**
   * Call it inside `inQueue`. Reads the row: it is still ours, perhaps with a counter that is one
   * higher than we knew, or the result says why not.
   */
  async readAgain(signal: AbortSignal): Promise<Conflict> {
    const { table, workerId } = this.#surroundings;
    let found: Lease | undefined;
    try {
      found = await table.read(this.#lease.shardId, signal);
    } catch (error) {
      if (!(error instanceof LeaseTableError) || error.reason !== "unreadable") throw error;
      // This worker cannot write to a row that it cannot read, so it cannot keep the lease.
      return { why: "lost", reason: error.message };
    }
    const conflict = explain(this.#lease, this.#unconfirmed, found, workerId);
    if (conflict.why === "ours") {
      // Seeing the write confirms it. Until then it may still be in flight.
      if (conflict.lease.counter > this.#lease.counter) this.#unconfirmed = undefined;
      this.#lease = conflict.lease;
    }
    return conflict;
  }

  async #attempt({ write }: RowWrite, next: Lease, signal: AbortSignal): Promise<WriteResult> {
    const { clock, settings } = this.#surroundings;
    // A write without a response is abandoned while there is still time for another one.
    const limitMs = renewalIntervalMs(settings.failoverTimeMillis);
    try {
      return await within(limitMs, clock, signal, (limited) => write(this.#lease, limited));
    } catch (error) {
      if (!(error instanceof LeaseTableError) || error.reason === "unavailable") {
        this.#unconfirmed = next;
      }
      throw error;
    }
  }
}
