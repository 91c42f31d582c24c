// A clock that only the test moves, so that a test need not wait for time to pass.

import type { Clock } from "../../src/clock.ts";

interface Sleeper {
  readonly untilMs: number;
  readonly wake: () => void;
}

export class ClockByHand implements Clock {
  #nowMs = 1_000_000;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#sleepers.delete(sleeper);
        resolve();
      };
      const sleeper: Sleeper = { untilMs: this.#nowMs + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", wake, { once: true });
    });
  }

  /** Moves time, and wakes the sleepers that are due. */
  advance(ms: number): void {
    this.#nowMs += ms;
    for (const sleeper of [...this.#sleepers]) if (sleeper.untilMs <= this.#nowMs) sleeper.wake();
  }

  /** Moves time as in a suspended process: no timer fires before the next line runs. */
  skip(ms: number): void {
    this.#nowMs += ms;
  }
}
