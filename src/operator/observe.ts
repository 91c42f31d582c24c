// Reads the lease table again and again, to see which leases are renewed.

import type { Clock } from "../clock.ts";
import type { LeaseRows, Row } from "../leases/table/rows.ts";
import { LeaseWatch } from "./leaseWatch.ts";
import { leasesIn } from "./rowKinds.ts";

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

/**
 * How long to watch for a renewal, as a fraction of the failover time. Workers renew every third of
 * it; the rest is for a slow worker.
 */
export const RENEWAL_SHARE = 0.37;
/** The shortest pause between two reads. */
const MIN_PAUSE_MS = 250;
/**
 * The shortest pause as a multiple of the time that the last read took, so that reads of a large
 * table do not follow each other without a pause.
 */
const PAUSE_PER_READ = 4;

/**
 * Reads the table until `enough` returns true, for `forMs` at most, and once in any case.
 *
 * @throws LeaseTableError when the table cannot be read.
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
    const readMs = clock.monotonicMs() - startMs;
    watch.add(leasesIn(rows), startMs, startMs + readMs);
    const observed = { rows, watch };
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0 || enough(observed)) return observed;
    await clock.sleep(Math.min(leftMs, Math.max(MIN_PAUSE_MS, PAUSE_PER_READ * readMs)), signal);
    signal.throwIfAborted();
  }
}

/**
 * True when every lease that has an owner was renewed while we watched: watching on would show
 * nothing more.
 */
export function everyOwnerSeen({ rows, watch }: Observed): boolean {
  return leasesIn(rows).every(
    ({ owner, shardId }) => !owner || watch.renewal(shardId)?.atMostMs !== undefined,
  );
}
