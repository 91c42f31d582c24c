// Limits how many children start at the same time. A daemon that takes two hundred leases at once
// would otherwise start two hundred programs at once. They would take the CPU time that the daemon
// needs to renew its leases, and the leases would expire before the last child is up.

import { availableParallelism } from "node:os";
import type { Clock } from "../clock.ts";

/** A starting child mostly loads its runtime, and waits for the disk in between. */
const TURNS_PER_CPU = 4;
const TURNS_MIN = 8;
/** A turn ends after this time, so that a child that starts slowly does not block the others. */
const TURN_MS = 1_000;

export class StartTurns {
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(clock: Clock, atOnce = Math.max(TURNS_MIN, TURNS_PER_CPU * availableParallelism())) {
    this.#clock = clock;
    this.#free = atOnce;
  }

  /**
   * Waits for a turn.
   *
   * @returns a function that ends the turn, which also ends by itself; `undefined` when a signal
   * was aborted first.
   */
  async take(...signals: readonly AbortSignal[]): Promise<(() => void) | undefined> {
    if (signals.some((signal) => signal.aborted)) return undefined;
    if (this.#free > 0) this.#free -= 1;
    else if (!(await this.#comes(signals))) return undefined;
    const over = new AbortController();
    void this.#clock.sleep(TURN_MS, over.signal).then(() => this.#pass());
    return () => over.abort();
  }

  /**
   * Resolves with true when the caller's turn has come, with false when a signal was aborted first.
   */
  #comes(signals: readonly AbortSignal[]): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (comes: boolean) => {
        for (const signal of signals) signal.removeEventListener("abort", leave);
        resolve(comes);
      };
      const go = () => finish(true);
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        finish(false);
      };
      this.#waiting.push(go);
      for (const signal of signals) signal.addEventListener("abort", leave, { once: true });
    });
  }

  #pass(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}
