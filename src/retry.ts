// One way to try again, and how long to wait in between. Each caller states its policy in one
// place: which errors may pass, for how long or how often it tries, and how the waits grow.

import type { Clock } from "./clock.ts";

export interface Backoff {
  /** The longest first wait, in milliseconds. */
  readonly baseMs: number;
  /** The longest wait at all, in milliseconds. */
  readonly capMs: number;
}

/**
 * A random wait below a bound that doubles with each attempt ("full jitter"), so that many workers
 * that failed together do not come back together.
 *
 * @param attempt 0 for the wait after the first failure.
 */
export function backoffMs(
  attempt: number,
  { baseMs, capMs }: Backoff,
  random: () => number = Math.random,
): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** An attempt that failed and will be repeated. */
export interface FailedAttempt {
  readonly error: unknown;
  /** Failures in a row, this one included: 1 for the first. */
  readonly attempt: number;
  readonly retryInMs: number;
}

export interface RetryPolicy {
  readonly clock: Clock;
  readonly backoff: Backoff;
  /** 0 ≤ x < 1; `Math.random` where absent. */
  readonly random?: () => number;
  /** Whether waiting may help. An error for which it returns false is thrown at once. */
  readonly mayPass?: (error: unknown) => boolean;
  /** Attempts in all, the first one included; no limit where absent. */
  readonly attempts?: number;
  /** No attempt begins later than this after the first one; no limit where absent. */
  readonly withinMs?: number;
  readonly onFailure?: (failure: FailedAttempt) => void;
}

/**
 * Repeats `attempt` until it succeeds, the policy gives up, or the signal is aborted.
 *
 * @returns what the attempt returned; `undefined` when the signal was aborted first.
 * @throws the last error of the attempt, when the policy gives up.
 */
export async function retry<T>(
  attempt: () => Promise<T>,
  policy: RetryPolicy,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { clock, backoff, random = Math.random, mayPass, attempts, withinMs, onFailure } = policy;
  const untilMs = clock.monotonicMs() + (withinMs ?? Number.POSITIVE_INFINITY);
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (signal.aborted) return undefined;
      const retryInMs = backoffMs(failures - 1, backoff, random);
      const isLast = failures === attempts || clock.monotonicMs() + retryInMs > untilMs;
      if (isLast || mayPass?.(error) === false) throw error;
      onFailure?.({ error, attempt: failures, retryInMs });
      await clock.sleep(retryInMs, signal);
    }
  }
  return undefined;
}
