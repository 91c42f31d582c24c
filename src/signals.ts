// Signals that many requests listen to at a time. Node warns of a leak at the eleventh listener of a signal; here
// each request in flight is one, and takes its listener away when it ends.

import { setMaxListeners } from "node:events";
import type { Clock } from "./clock.ts";

export function sharedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** Calls `work` with a signal that is aborted when `signal` is, or after `ms`. */
export async function within<T>(
  ms: number,
  clock: Clock,
  signal: AbortSignal,
  work: (limited: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = sharedController();
  const done = new AbortController();
  const abort = () => limit.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  const timer = clock.sleep(ms, done.signal).then(() => {
    if (!done.signal.aborted) limit.abort(new Error(`no answer within ${Math.round(ms)} ms`));
  });
  try {
    return await work(limit.signal);
  } finally {
    signal.removeEventListener("abort", abort);
    done.abort();
    await timer;
  }
}

/** Resolves when one of them is aborted. */
export function anyAborted(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const signal of signals) signal.removeEventListener("abort", done);
      resolve();
    };
    for (const signal of signals) signal.addEventListener("abort", done, { once: true });
    if (signals.some((signal) => signal.aborted)) done();
  });
}
