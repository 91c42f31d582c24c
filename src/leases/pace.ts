// How often to look at all leases. Java scans every 20 s whatever the size of the table; a small table costs next to nothing
// to read, and the sooner a free lease is seen, the sooner its records flow again.

/** Below this nobody would notice a difference. */
const SOONEST_MS = 800;
/** A lease takes about 300 bytes: some 13 of them cost half a read unit. This spends at most about 4 units a second. */
const MS_PER_LEASE = 10;

/** The longest wait between two scans of one worker. */
export function longestRestMs(leases: number, failoverTimeMillis: number): number {
  const slowest = 2 * failoverTimeMillis;
  const soonest = Math.min(SOONEST_MS, failoverTimeMillis / 3);
  return Math.min(slowest, Math.max(soonest, leases * MS_PER_LEASE));
}

/** The wait until the next scan; random, so that the workers of a fleet do not scan, and take, in step. */
export function rescanMs(leases: number, failoverTimeMillis: number, random: () => number): number {
  return longestRestMs(leases, failoverTimeMillis) * (0.75 + random() / 4);
}
