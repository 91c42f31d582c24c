// What is left in a signal of those who used it: the leaks that a daemon would collect over weeks.

import { getEventListeners } from "node:events";

/** Its listeners, and the entries that Node's `AbortSignal.any` makes in its sources. */
export function leftIn(signal: AbortSignal): number {
  const key = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === "kDependantSignals",
  );
  const entries = key && (signal as unknown as Record<symbol, { readonly size: number }>)[key];
  return (entries?.size ?? 0) + getEventListeners(signal, "abort").length;
}
