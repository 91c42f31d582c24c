// For how long a worker may trust that a lease is its own. Other workers may take the lease when
// they have seen its counter unchanged for the failover time, and they may have seen it change at
// the moment when our write began. So trust starts when the write begins, not when its response
// arrives, and it lasts a little less than the failover time, because clocks may run at different
// speeds.

/** The fraction of the failover time that is not used, for safety. */
const MARGIN = 0.1;

/**
 * Monotonic time until which a lease is trusted whose last successful write began at
 * `writeStartMs`.
 */
export function trustedUntilMs(writeStartMs: number, failoverTimeMillis: number): number {
  return writeStartMs + failoverTimeMillis * (1 - MARGIN);
}

/** As in KCL: three renewals in a failover time, each slightly early, so that two may fail. */
export function renewalIntervalMs(failoverTimeMillis: number): number {
  return Math.max(failoverTimeMillis / 3 - EPSILON_MS, MIN_INTERVAL_MS);
}

/** KCL's `epsilonMillis`. */
const EPSILON_MS = 25;
const MIN_INTERVAL_MS = 10;
