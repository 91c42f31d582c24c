// Waiting for something that can only be looked at, and the time in a form that other processes share.

import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_EVERY_MS = 10;

/** The first value that is not undefined. @throws Error, saying what was waited for, when the time is over. */
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
      throw new Error(`waited ${limitMs / 1000} s for ${what} in vain`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

/** Milliseconds since 1970, with fractions. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now();
}
