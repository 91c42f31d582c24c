// Time, as loops take it: real in the daemon, steered by hand in tests.

import { performance } from "node:perf_hooks";

export interface Clock {
  /** Wall-clock time in milliseconds since 1970: for what others read. It may jump. */
  now(): number;
  /** Milliseconds that only ever grow: for lengths of time. */
  monotonicMs(): number;
  /** Resolves after `ms`, or when the signal is aborted. It never rejects: check the signal. */
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
