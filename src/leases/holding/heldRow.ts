// The row of a lease that we hold, and the only way to write to it. It owns two promises. One writer at a time: writes
// stand in one line, for each names the counter that the last one wrote. A lost answer is not a lost lease: a
// conflict is explained by reading the row again, and the write repeated on top of what is found to be ours.

import type { Clock } from "../../clock.ts";
import { within } from "../../signals.ts";
import { renewalIntervalMs } from "../decisions/trust.ts";
import type { Lease } from "../lease.ts";
import { type LeaseTable, LeaseTableError, type WriteResult } from "../table.ts";
import { type Conflict, explain } from "./conflict.ts";

export interface HeldRowParts {
  readonly table: LeaseTable;
  readonly workerId: string;
  readonly clock: Clock;
  readonly failoverTimeMillis: number;
}

/** One conditional write, and what the row is after it (the counter is raised by HeldRow). */
export interface RowWrite {
  readonly write: (lease: Lease, signal: AbortSignal) => Promise<WriteResult>;
  readonly after: (lease: Lease) => Lease;
}

export type RowLost = Exclude<Conflict, { why: "ours" }>;

/** The second follows a lost answer; a third would mean that somebody puts old rows back. */
const WRITE_ATTEMPTS = 3;

export class HeldRow {
  readonly #parts: HeldRowParts;
  /** The row as we last knew it to be. */
  #lease: Lease;
  #writtenMs: number;
  /** A write was sent and never answered: the row may be one counter ahead, and then it is this. */
  #doubtful: Lease | undefined;
  /** The end of the line. */
  #line: Promise<unknown> = Promise.resolve();

  /** @param takenMs monotonic time at which the write began that made the lease ours. */
  constructor(lease: Lease, takenMs: number, parts: HeldRowParts) {
    this.#lease = lease;
    this.#writtenMs = takenMs;
    this.#parts = parts;
  }

  get lease(): Lease {
    return this.#lease;
  }

  /** Monotonic time at which the last successful write began. */
  get writtenMs(): number {
    return this.#writtenMs;
  }

  /** Lets `work` have the row for itself, after all that came before. */
  inLine<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#line.then(work, work);
    this.#line = result.catch(() => undefined);
    return result;
  }

  /**
   * To be called in line. One attempt, and another one if it turns out that an earlier write had come through unheard.
   *
   * @throws LeaseTableError: nothing was written, or it may have been; try again.
   */
  async write(change: RowWrite, signal: AbortSignal): Promise<"written" | RowLost> {
    for (let attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
      const startMs = this.#parts.clock.monotonicMs();
      const next = change.after({ ...this.#lease, counter: this.#lease.counter + 1 });
      if ((await this.#attempt(change, next, signal)) === "written") {
        this.#lease = next;
        this.#doubtful = undefined;
        this.#writtenMs = startMs;
        return "written";
      }
      const now = await this.look(signal);
      if (now.why !== "ours") return now;
    }
    throw new LeaseTableError(
      "unavailable",
      `the lease of ${this.#lease.shardId} refused ${WRITE_ATTEMPTS} writes in a row, though it is ours`,
    );
  }

  /** To be called in line. Reads the row: still ours, perhaps one counter ahead of what we knew, or why not. */
  async look(signal: AbortSignal): Promise<Conflict> {
    const { table, workerId } = this.#parts;
    let found: Lease | undefined;
    try {
      found = await table.read(this.#lease.shardId, signal);
    } catch (error) {
      // One that has become unreadable cannot be kept.
      if (!(error instanceof LeaseTableError) || error.trouble !== "unreadable") throw error;
      return { why: "lost", reason: error.message };
    }
    const conflict = explain(this.#lease, this.#doubtful, found, workerId);
    if (conflict.why === "ours") {
      // The doubt is over when the write is seen; while it is not, it may still be on its way.
      if (conflict.lease.counter > this.#lease.counter) this.#doubtful = undefined;
      this.#lease = conflict.lease;
    }
    return conflict;
  }

  async #attempt({ write }: RowWrite, next: Lease, signal: AbortSignal): Promise<WriteResult> {
    const { clock, failoverTimeMillis } = this.#parts;
    // A write that gets no answer is given up while there is still time for another one.
    const limitMs = renewalIntervalMs(failoverTimeMillis);
    try {
      return await within(limitMs, clock, signal, (limited) => write(this.#lease, limited));
    } catch (error) {
      if (!(error instanceof LeaseTableError) || error.trouble === "unavailable") {
        this.#doubtful = next;
      }
      throw error;
    }
  }
}
