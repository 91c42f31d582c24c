// Polls for a condition, and returns the time in a form that other processes share.

import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_EVERY_MS = 10;

/**
 * Returns the first value that is not undefined.
 * @throws Error after the time limit, with what was waited for.
 */
export async function waitFor<T>(
  what: string,
  limitMs: number,
  look: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadlineMs) {
      throw new Error(`timed out after ${limitMs / 1000} s waiting for ${what}`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

/** Milliseconds since 1970, with fractions. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}
