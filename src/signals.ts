// AbortSignals with many listeners, time limits, and several sources. Every function here removes
// its listeners when its work ends, so that nothing accumulates in a signal that lives as long as
// the process. `AbortSignal.any` does accumulate: under Node 20 each use leaves an entry in every
// source until the source itself is collected.

import { setMaxListeners } from "node:events";
import type { Clock } from "./clock.ts";

/**
 * A reason for signals that only end a sleep. Without a reason, `abort` makes an error with its
 * stack, which costs more than the rest.
 */
export const OVER = "over";

/** A controller whose signal many requests listen to: Node warns at the eleventh listener. */
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
    done.abort(OVER);
    await timer;
  }
}

export interface AnySignal {
  /** Aborted when one of the sources is, with its reason. */
  readonly signal: AbortSignal;
  /** Call it when nobody needs the signal any more. */
  readonly release: () => void;
}

export function anySignal(...sources: readonly AbortSignal[]): AnySignal {
  const controller = sharedController();
  const release = () => {
    for (const source of sources) source.removeEventListener("abort", follow);
  };
  const follow = () => {
    release();
    controller.abort(sources.find(({ aborted }) => aborted)?.reason);
  };
  for (const source of sources) source.addEventListener("abort", follow, { once: true });
  if (sources.some(({ aborted }) => aborted)) follow();
  return { signal: controller.signal, release };
}

/** Calls `work` with a signal that is aborted when one of the sources is. */
export async function underAny<T>(
  sources: readonly AbortSignal[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, release } = anySignal(...sources);
  try {
    return await work(signal);
  } finally {
    release();
  }
}

/** Waits for the work. @returns `undefined` when the signal is aborted before the work ends. */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  let leave = () => {};
  const aborted = new Promise<undefined>((resolve) => {
    leave = () => resolve(undefined);
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
