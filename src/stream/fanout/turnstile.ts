// Lets so many through in a second, and the others one after the other. SubscribeToShard may be called 5 times a second
// for one consumer; all workers of the application share that, so each leaves some to the others.

import type { Clock } from "../../clock.ts";

export class Turnstile {
  readonly #clock: Clock;
  readonly #gapMs: number;
  /** In the order in which they came. Whoever does not want to pass any more leaves, and costs the others no time. */
  readonly #waiting: (() => void)[] = [];
  #nextMs = Number.NEGATIVE_INFINITY;
  /** Ends the wait for the next turn; `undefined` while nobody waits. */
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
