// One signal in place of several, which leaves nothing behind in signals that live longer than it. `AbortSignal.any` does:
// under Node 20 each use leaves an entry in every source until the source itself is collected.

import { setMaxListeners } from "node:events";

export interface AnySignal {
  /** Aborted when one of the sources is, with its reason. */
  readonly signal: AbortSignal;
  /** To be called when nobody needs the signal any more. */
  readonly release: () => void;
}

export function anySignal(...sources: readonly AbortSignal[]): AnySignal {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
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

/** Waits for the work, and leaves no listener in the signal. @returns `undefined` when the signal was aborted before. */
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
