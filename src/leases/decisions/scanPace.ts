// How often to look at all leases. Java scans every 20 s whatever the size of the table; a small table costs next to nothing
// to read, and the sooner a free lease is seen, the sooner its records flow again. But every worker reads every
// lease: in a large fleet each looks more seldom, and there is always one that looks soon.

import { actualOwner, type Lease } from "../lease.ts";

/** Below this nobody would notice a difference. */
const SOONEST_MS = 800;
/** A lease takes about 350 bytes: some 12 of them cost half a read unit. One worker spends at most about 4 units a second. */
const MS_PER_LEASE = 10;
/**
 * Of the failover time, for each worker: then the scans of the whole fleet cost at most a tenth of its renewals. For a lease
 * is renewed three times in a failover time, for a written unit each, and read with each scan for a twenty-fourth of a
 * read unit, which costs a fifth of a written one.
 */
const FAILOVERS_PER_WORKER = 0.035;

/** What the wait goes by. */
export interface FleetSize {
  readonly leases: number;
  /** Those that own leases, alive or not. */
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

/** The wait until the next scan; random, so that the workers of a fleet do not scan, and take, in step. */
export function rescanMs(
  size: FleetSize,
  failoverTimeMillis: number,
  random: () => number,
): number {
  return longestRestMs(size, failoverTimeMillis) * (0.75 + random() / 4);
}

/** As small as the fleet may be, others' writes of the same moment should be seen. */
const STARTING_MS = 200;
/** Of the failover time, for each worker: a starting fleet of ten looks twice a second. */
const STARTING_FAILOVERS_PER_WORKER = 0.005;

/**
 * The least wait between two scans of one worker, whatever news there is: when many shards end at once, each worker would
 * look at all leases again for every one of its own.
 */
export function spacingMs({ workers }: FleetSize, failoverTimeMillis: number): number {
  return workers * STARTING_FAILOVERS_PER_WORKER * failoverTimeMillis;
}

/** The wait while a fleet starts: there are leases to be taken, or still to come. */
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

/** Of the failover time: a look by the index of owners costs half a read unit, whatever the size of the fleet. */
const INDEX_LOOK_FAILOVERS = 0.25;

/** The wait before a look by the index of owners (kcl3/discovery.ts): no longer than before a scan. */
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

/** With the index, and without it: how much longer a scan may be waited for. */
const INDEXED_SCAN_RESTS = 2.4;

/** The wait between two scans while the index of owners is used. Why so long, kcl3/discovery.ts says. */
export function indexedScanMs(
  size: FleetSize,
  failoverTimeMillis: number,
  random: () => number,
): number {
  const shortestMs = INDEXED_SCAN_RESTS * longestRestMs(size, failoverTimeMillis);
  return Math.max(failoverTimeMillis, shortestMs) * (1 + random() / 4);
}
