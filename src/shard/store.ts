// When a position is stored in the lease table: at once or, if the user sets an interval, at most once
// an interval. In between, the last position waits here. A failing write is retried below this file
// (HeldLease.checkpoint), so nothing is retried here.

import type { Clock } from "../clock.ts";
import { type Position, SHARD_END } from "../model/position.ts";
import type { StorePosition } from "./checkpointer.ts";

export interface CoalescedStoreParts {
  readonly store: StorePosition;
  /** 0 = every position is stored before it is acknowledged. */
  readonly intervalMs: number;
  readonly clock: Clock;
  /** A position that was acknowledged could not be stored yet; it is tried again. */
  readonly told: (error: unknown) => void;
}

/**
 * Stores at most once an interval, and a position not later than an interval after it was acknowledged. What waits
 * here when the daemon is killed is delivered again; nothing is lost by it.
 */
export class CoalescedStore {
  readonly #parts: CoalescedStoreParts;
  readonly #closed = new AbortController();
  #waiting: Position | undefined;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #lost = false;
  /** Writes stand in line, so that an older position never follows a newer one. */
  #line: Promise<unknown> = Promise.resolve();
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

  /** Writes what waits. To be called at every goodbye, and when a child died. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#timer;
    await this.#flush().catch(this.#parts.told);
  }

  #leftMs(): number {
    const { clock, intervalMs } = this.#parts;
    return this.#writtenAtMs + intervalMs - clock.monotonicMs();
  }

  async #writeInTime(): Promise<void> {
    const { clock, told } = this.#parts;
    const { signal } = this.#closed;
    while (this.#waiting && !this.#lost && !signal.aborted) {
      await clock.sleep(Math.max(0, this.#leftMs()), signal);
      if (!signal.aborted) await this.#flush().catch(told);
    }
    this.#timer = undefined;
  }

  #flush(): Promise<"stored" | "lost"> {
    const written = this.#line.then(() => this.#write());
    this.#line = written.catch(() => undefined);
    return written;
  }

  async #write(): Promise<"stored" | "lost"> {
    const position = this.#waiting;
    if (!position) return this.#lost ? "lost" : "stored";
    // Also when it fails: the next attempt has an interval's time.
    this.#writtenAtMs = this.#parts.clock.monotonicMs();
    const result = await this.#parts.store(position);
    this.#lost = result === "lost";
    if (this.#waiting === position || this.#lost) this.#waiting = undefined;
    return result;
  }
}
