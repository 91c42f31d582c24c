// When a position is stored in the lease table: at once or, if the user sets an interval, at most
// once an interval. In between, the last position waits here. A failing write is retried below this
// file (HeldLease.checkpoint), so nothing is retried here.

import type { Clock } from "../clock.ts";
import { type Position, SHARD_END } from "../model/position.ts";
import type { StorePosition } from "./checkpointer.ts";

export interface CoalescedStoreParts {
  readonly store: StorePosition;
  /** In milliseconds; 0 = every position is stored before it is acknowledged. */
  readonly intervalMs: number;
  readonly clock: Clock;
  /** A position that was already acknowledged could not be stored. The store retries it. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Stores at most one position in an interval, and each position at most one interval after it was
 * acknowledged. If the daemon is killed in between, the records after the stored position are
 * delivered again; no record is lost.
 */
export class CoalescedStore {
  readonly #parts: CoalescedStoreParts;
  readonly #closed = new AbortController();
  #waiting: Position | undefined;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #lost = false;
  /**
   * The end of the last write: writes run one after another, so no older position follows a newer.
   */
  #lastWrite: Promise<unknown> = Promise.resolve();
  #timer: Promise<void> | undefined;

  constructor(parts: CoalescedStoreParts) {
    this.#parts = parts;
  }

  async store(position: Position): Promise<"stored" | "lost"> {
    const { store, intervalMs } = this.#parts;
    if (intervalMs === 0) return store(position);
    if (this.#lost) return "lost";
    this.#waiting = position;
    if (this.#leftMs() <= 0 || position === SHARD_END) return this.#flush();
    this.#timer ??= this.#writeInTime();
    return "stored";
  }

  /** Stores the waiting position. To be called whenever a child's work ends, failures included. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#timer;
    await this.#flush().catch(this.#parts.onFailure);
  }

  #leftMs(): number {
    const { clock, intervalMs } = this.#parts;
    return this.#writtenAtMs + intervalMs - clock.monotonicMs();
  }

  async #writeInTime(): Promise<void> {
    const { clock, onFailure } = this.#parts;
    const { signal } = this.#closed;
    while (this.#waiting && !this.#lost && !signal.aborted) {
      await clock.sleep(Math.max(0, this.#leftMs()), signal);
      if (!signal.aborted) await this.#flush().catch(onFailure);
    }
    this.#timer = undefined;
  }

  #flush(): Promise<"stored" | "lost"> {
    const written = this.#lastWrite.then(() => this.#write());
    this.#lastWrite = written.catch(() => undefined);
    return written;
  }

  async #write(): Promise<"stored" | "lost"> {
    const position = this.#waiting;
    if (!position) return this.#lost ? "lost" : "stored";
    // A write that fails counts too: the next attempt is due one interval later.
    this.#writtenAtMs = this.#parts.clock.monotonicMs();
    const result = await this.#parts.store(position);
    this.#lost = result === "lost";
    if (this.#waiting === position || this.#lost) this.#waiting = undefined;
    return result;
  }
}
