// Looks at the lease table again and again.

import type { Clock } from "../clock.ts";
import type { LeaseRows, Row } from "../leases/table/rows.ts";
import { isLeaseRow } from "./leaseLines.ts";
import { LeaseWatch } from "./leaseWatch.ts";

export interface Observed {
  readonly rows: readonly Row[];
  readonly watch: LeaseWatch;
}

export interface ObserveOptions {
  readonly rows: LeaseRows;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Continues an earlier observation. */
  readonly watch?: LeaseWatch;
}

/** Between two looks at least … */
const MIN_PAUSE_MS = 250;
/** … and so many times what a look takes, so that a large table is not read without end. */
const PAUSE_PER_LOOK = 4;

/**
 * Looks until `enough`, for `forMs` at most, but once in any case.
 *
 * @throws LeaseTableError as the table does.
 */
export async function observe(
  { rows: table, clock, signal, watch = new LeaseWatch() }: ObserveOptions,
  forMs: number,
  enough: (observed: Observed) => boolean,
): Promise<Observed> {
  const endMs = clock.monotonicMs() + forMs;
  while (true) {
    const startMs = clock.monotonicMs();
    const rows = await table.scan(signal);
    const lookMs = clock.monotonicMs() - startMs;
    const leases = rows.filter(isLeaseRow).map(({ lease }) => lease);
    watch.look(leases, startMs, startMs + lookMs);
    const observed = { rows, watch };
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0 || enough(observed)) return observed;
    await clock.sleep(Math.min(leftMs, Math.max(MIN_PAUSE_MS, PAUSE_PER_LOOK * lookMs)), signal);
    signal.throwIfAborted();
  }
}

/** True when every lease with an owner was seen to be renewed: looking on would tell no more. */
export function everyOwnerSeen({ rows, watch }: Observed): boolean {
  return rows
    .filter(isLeaseRow)
    .every(({ lease }) => !lease.owner || watch.renewal(lease.shardId)?.atMostMs !== undefined);
}
