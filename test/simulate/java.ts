// What Java's workers request from the lease table at rest, in units per hour, computed from their
// default intervals. It is not simulated. Each line states which loop it counts.

import { scanUnits } from "./units.ts";

export interface UnitsPerHour {
  readonly readUnits: number;
  readonly writeUnits: number;
}

const HOUR_MS = 3_600_000;
const FAILOVER_MS = 10_000;
const EPSILON_MS = 25;
/** A worker's metrics row, and a key in the index of owners. */
export const METRICS_ROW_BYTES = 300;
export const INDEX_KEY_BYTES = "leaseOwner".length + 36 + "leaseKey".length + 20;

function timesPerHour(everyMs: number): number {
  return HOUR_MS / everyMs;
}

/** Each lease is renewed individually, three times per failover time, slightly early. */
const RENEWALS = timesPerHour(FAILOVER_MS / 3 - EPSILON_MS);

/** @param tableBytes the total size of all lease rows. */
export function java2(workers: number, shards: number, tableBytes: number): UnitsPerHour {
  const scan = scanUnits(tableBytes);
  const takers = workers * timesPerHour(2 * (FAILOVER_MS + EPSILON_MS));
  // Every worker determines the leader every 5 min. The leader audits for holes every 2 min.
  const elections = workers * timesPerHour(300_000);
  const audits = timesPerHour(120_000);
  return {
    readUnits: (takers + elections + audits) * scan,
    writeUnits: shards * RENEWALS,
  };
}

/** With one table, as in 3.5: the workers' metrics rows are scanned with the leases. */
export function java3(workers: number, shards: number, tableBytes: number): UnitsPerHour {
  const scan = scanUnits(tableBytes + workers * METRICS_ROW_BYTES);
  const ownKeys = scanUnits(Math.ceil(shards / workers) * INDEX_KEY_BYTES);
  const discoveries = workers * timesPerHour(FAILOVER_MS - EPSILON_MS);
  const assignments = timesPerHour(2 * FAILOVER_MS);
  const audits = timesPerHour(120_000);
  // Other workers read the lock every 30 s, counted as a consistent read. The leader writes to it
  // equally often.
  const lockReads = (workers - 1) * timesPerHour(30_000);
  const heartbeats = timesPerHour(30_000);
  const reports = workers * timesPerHour(30_000);
  return {
    readUnits: discoveries * ownKeys + (assignments + audits) * scan + lockReads,
    writeUnits: shards * RENEWALS + heartbeats + reports,
  };
}
