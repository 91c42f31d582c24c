// A sleep that can be cut short because there is news; news that comes while nobody sleeps is not missed.

import type { Clock } from "./clock.ts";

export class Bell {
  #rung = false;
  #sleeper: AbortController | undefined;

  ring(): void {
    this.#rung = true;
    this.#sleeper?.abort();
  }

  /** Forgets what rang so far: the caller is about to look for itself. */
  clear(): void {
    this.#rung = false;
  }

  /** Resolves after `ms`, when the bell rings or has rung, or when a signal is aborted. One sleeper at a time. */
  async sleep(clock: Clock, ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
    const sleeper = new AbortController();
    const wake = () => sleeper.abort();
    // Not AbortSignal.any: under Node 20 each use leaves something behind in a source that lives as long as the process.
    for (const signal of signals) signal.addEventListener("abort", wake, { once: true });
    this.#sleeper = sleeper;
    if (this.#rung || signals.some((signal) => signal.aborted)) sleeper.abort();
    await clock.sleep(ms, sleeper.signal);
    this.#sleeper = undefined;
    for (const signal of signals) signal.removeEventListener("abort", wake);
  }
}
