// How long to wait before trying again.

export interface Backoff {
  /** The longest first wait. */
  readonly baseMs: number;
  /** The longest wait at all. */
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
