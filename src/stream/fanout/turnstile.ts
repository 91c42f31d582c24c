// Limits how many callers pass in a second; the others wait in line. SubscribeToShard may be called
// five times a second for one consumer, and all workers of the application share this limit.

import type { Clock } from "../../clock.ts";

export class Turnstile {
  readonly #clock: Clock;
  readonly #gapMs: number;
  /** In order of arrival. A caller whose signal is aborted leaves the line and delays no other. */
  readonly #waiting: (() => void)[] = [];
  #nextMs = Number.NEGATIVE_INFINITY;
  /** Ends the wait for the next turn; `undefined` while the line is empty. */
  #allLeft: AbortController | undefined;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#gapMs = 1_000 / perSecond;
  }

  /** Resolves when it is the caller's turn, or the signal is aborted. */
  pass(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const go = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        if (this.#waiting.length === 0) this.#allLeft?.abort();
        resolve();
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(go);
      if (!this.#allLeft) void this.#letThrough();
    });
  }

  async #letThrough(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#allLeft = new AbortController();
      const restMs = this.#nextMs - this.#clock.monotonicMs();
      if (restMs > 0) await this.#clock.sleep(restMs, this.#allLeft.signal);
      else {
        this.#nextMs = this.#clock.monotonicMs() + this.#gapMs;
        this.#waiting.shift()?.();
      }
    }
    this.#allLeft = undefined;
  }
}
