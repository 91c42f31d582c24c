// For how long a worker may believe that a lease is its own. Peers may take the lease once they have seen its counter
// unchanged for the failover time, and they can have seen it change the moment our write began. So we trust it
// from the start of the write, not from its answer, and for a little less: clocks may run at different speeds.

/** The part of a lease that is given away for safety. */
const MARGIN = 0.1;

/** Monotonic time up to which a lease is ours whose last successful write began at `writeStartMs`. */
export function trustedUntilMs(writeStartMs: number, failoverTimeMillis: number): number {
  return writeStartMs + failoverTimeMillis * (1 - MARGIN);
}

/** KCL renews three times in a lease, a little early: two attempts may fail. */
export function renewalIntervalMs(failoverTimeMillis: number): number {
  return Math.max(failoverTimeMillis / 3 - EPSILON_MS, MIN_INTERVAL_MS);
}

/** KCL's `epsilonMillis`. */
const EPSILON_MS = 25;
const MIN_INTERVAL_MS = 10;
