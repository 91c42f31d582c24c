// A sleep that another part of the program can end early. A wake-up that is triggered while nobody
// sleeps is kept: the next sleep returns at once.

import type { Clock } from "./clock.ts";

/** Without a reason, each abort makes an error with its stack. */
const WOKEN = "woken";

export class WakeUp {
  #triggered = false;
  #sleeper: AbortController | undefined;

  trigger(): void {
    this.#triggered = true;
    this.#sleeper?.abort(WOKEN);
  }

  /** Forgets earlier triggers. Call it before you check the state that they announce. */
  clear(): void {
    this.#triggered = false;
  }

  /**
   * Resolves after `ms`, when the wake-up is or was triggered, or when a signal is aborted. Only
   * one caller may sleep at a time.
   */
  async sleep(clock: Clock, ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
    const sleeper = new AbortController();
    const wake = () => sleeper.abort(WOKEN);
    // AbortSignal.any would leak: under Node 20 each use leaves an entry in a long-lived source.
    for (const signal of signals) signal.addEventListener("abort", wake, { once: true });
    this.#sleeper = sleeper;
    if (this.#triggered || signals.some((signal) => signal.aborted)) wake();
    await clock.sleep(ms, sleeper.signal);
    this.#sleeper = undefined;
    for (const signal of signals) signal.removeEventListener("abort", wake);
  }
}
