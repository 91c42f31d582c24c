// Time as an argument: the system's clock in the daemon, one that a test advances in tests.

import { performance } from "node:perf_hooks";

export interface Clock {
  /** Wall-clock time in milliseconds since 1970, for values that others read. It may jump. */
  now(): number;
  /** Milliseconds since an arbitrary start, which never go back: for durations. */
  monotonicMs(): number;
  /**
   * Resolves after `ms`, or at once when the signal is aborted. Never rejects: check the signal.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  // `node:timers/promises` makes an error, with its stack, for each sleep that ends early.
  sleep(ms, signal) {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal?.addEventListener("abort", end, { once: true });
    });
  },
};
