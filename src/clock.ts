// Time, as loops take it: real in the daemon, steered by hand in tests.

import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  /** Wall-clock time in milliseconds since 1970: for what others read. It may jump. */
  now(): number;
  /** Milliseconds that only ever grow: for lengths of time. */
  monotonicMs(): number;
  /** Resolves after `ms`, or at once when the signal is aborted. It never rejects: ask the signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    if (signal?.aborted) return;
    try {
      await delay(ms, undefined, signal ? { signal } : {});
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  },
};
