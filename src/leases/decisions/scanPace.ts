// How often to scan the table. Java scans every 20 s, whatever the size of the table. A small table
// costs almost nothing to read, and the sooner a worker sees a free lease, the sooner its records
// are read again. But every worker reads every lease. So in a large fleet each worker scans less
// often; with many workers, one of them still scans soon.

import { actualOwner, type Lease } from "../lease.ts";

/** A shorter wait would make no noticeable difference. */
const SOONEST_MS = 800;
/**
 * A lease has about 350 bytes: some 12 of them cost half a read unit. With this wait one worker
 * uses at most about 4 read units a second.
 */
const MS_PER_LEASE = 10;
/**
 * Scan interval per worker, as a fraction of `failoverTimeMillis`, chosen so that the scans of the
 * whole fleet cost at most 10 % of its renewals. A lease is renewed three times in a failover time,
 * for one write unit each. Each scan reads it for 1/24 of a read unit, and a read unit costs a
 * fifth of a write unit.
 */
const FAILOVERS_PER_WORKER = 0.035;

/** What the wait depends on. */
export interface FleetSize {
  readonly leases: number;
  /** Workers that own leases, alive or not. */
  readonly workers: number;
}

export function sizeOf(leases: readonly Lease[]): FleetSize {
  const owners = new Set<string>();
  for (const lease of leases) {
    const owner = actualOwner(lease);
    if (owner !== undefined) owners.add(owner);
  }
  return { leases: leases.length, workers: owners.size };
}

/** The longest wait between two scans of one worker. */
export function longestRestMs({ leases, workers }: FleetSize, failoverTimeMillis: number): number {
  const slowest = 2 * failoverTimeMillis;
  const soonest = Math.min(SOONEST_MS, failoverTimeMillis / 3);
  const affordable = Math.max(
    leases * MS_PER_LEASE,
    workers * FAILOVERS_PER_WORKER * failoverTimeMillis,
  );
  return Math.min(slowest, Math.max(soonest, affordable));
}

/** The wait until the next scan. It is random, so that workers do not scan and take in step. */
export function rescanMs(
  size: FleetSize,
  failoverTimeMillis: number,
  random: () => number,
): number {
  return longestRestMs(size, failoverTimeMillis) * (0.75 + random() / 4);
}

/** Even in a small fleet the next scan should see the concurrent writes of other workers. */
const STARTING_MS = 200;
/**
 * Scan interval per worker while the fleet starts, as a fraction of `failoverTimeMillis`: each
 * worker of a fleet of ten scans twice a second.
 */
const STARTING_FAILOVERS_PER_WORKER = 0.005;

/**
 * The least wait between two scans of one worker, even after a wake-up. Without it, when many
 * shards end at once, each worker would scan again for every one of its own.
 */
export function spacingMs({ workers }: FleetSize, failoverTimeMillis: number): number {
  return workers * STARTING_FAILOVERS_PER_WORKER * failoverTimeMillis;
}

/** The wait while a fleet starts: there are free leases, or more leases will be created. */
export function startingRestMs(
  size: FleetSize,
  failoverTimeMillis: number,
  random: () => number,
): number {
  return Math.min(
    Math.max(STARTING_MS, spacingMs(size, failoverTimeMillis)) * (0.75 + random() / 4),
    rescanMs(size, failoverTimeMillis, random),
  );
}

/**
 * Interval of looks by the index of owners, as a fraction of `failoverTimeMillis`. Such a look
 * costs half a read unit, whatever the size of the fleet.
 */
const INDEX_LOOK_FAILOVERS = 0.25;

/**
 * The wait before a look by the index of owners (kcl3/discovery.ts), at most that before a scan.
 */
export function indexRestMs(
  size: FleetSize,
  failoverTimeMillis: number,
  random: () => number,
): number {
  const longestMs = Math.min(
    longestRestMs(size, failoverTimeMillis),
    INDEX_LOOK_FAILOVERS * failoverTimeMillis,
  );
  return longestMs * (0.75 + random() / 4);
}

/** How many times longer the wait between scans is with the index than without it. */
const INDEXED_SCAN_RESTS = 2.4;

/**
 * The wait between two scans while the index of owners is used; kcl3/discovery.ts gives reasons.
 */
export function indexedScanMs(
  size: FleetSize,
  failoverTimeMillis: number,
  random: () => number,
): number {
  const shortestMs = INDEXED_SCAN_RESTS * longestRestMs(size, failoverTimeMillis);
  return Math.max(failoverTimeMillis, shortestMs) * (1 + random() / 4);
}
