// Lets so many through in a second, and the others one after the other. SubscribeToShard may be called 5 times a second
// for one consumer; all workers of the application share that, so each leaves some to the others.

import type { Clock } from "../../clock.ts";

export class Turnstile {
  readonly #clock: Clock;
  readonly #gapMs: number;
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#gapMs = 1_000 / perSecond;
  }

  /** Resolves when it is the caller's turn, or the signal is aborted. */
  async pass(signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const turnMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = turnMs + this.#gapMs;
    if (turnMs > nowMs) await this.#clock.sleep(turnMs - nowMs, signal);
  }
}
