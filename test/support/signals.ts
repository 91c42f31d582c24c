// Counts what its users have left in an AbortSignal. A daemon would accumulate such leaks over
// weeks.

import { getEventListeners } from "node:events";

/**
 * The number of its listeners, and of the entries that Node's `AbortSignal.any` adds to its
 * sources.
 */
export function leftIn(signal: AbortSignal): number {
  const key = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === "kDependantSignals",
  );
  const entries = key && (signal as unknown as Record<symbol, { readonly size: number }>)[key];
  return (entries?.size ?? 0) + getEventListeners(signal, "abort").length;
}
