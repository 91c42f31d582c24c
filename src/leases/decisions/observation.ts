// How old is a lease? Decided by this worker's own clock alone, from the times at which it saw
// counters change. So the clocks of workers need not agree. A worker that has just started has seen
// nothing yet, and waits a whole failover time before it considers any lease expired.

import { actualOwner, type Lease } from "../lease.ts";

/**
 * A lease and what this worker has observed about it. Times are milliseconds on its monotonic
 * clock.
 */
export interface ObservedLease {
  readonly lease: Lease;
  /**
   * When a write of its holder was last seen; before any such write, when the lease was first seen.
   */
  readonly changedMs: number;
  /** Since when it has been seen without owner in every scan; `undefined` while it has an owner. */
  readonly ownerlessSinceMs: number | undefined;
  /** Since when the same worker has been requesting it; `undefined` while nobody does. */
  readonly requestedSinceMs?: number | undefined;
}

export type Observation = ReadonlyMap<string, ObservedLease>;

export const NOTHING_SEEN: Observation = new Map();

/**
 * @param before the previous observation; read once for each lease.
 * @param leases the result of a scan; leases missing from it are dropped.
 * @param nowMs monotonic time, read after the scan.
 */
export function observe(
  before: Pick<Observation, "get">,
  leases: readonly Lease[],
  nowMs: number,
): Observation {
  const now = new Map<string, ObservedLease>();
  for (const lease of leases) {
    now.set(lease.shardId, see(before.get(lease.shardId), lease, nowMs));
  }
  return now;
}

/** The leases to which a write of their holders was seen after `sinceMs`. */
export function changedSince(sinceMs: number, observation: Observation): readonly Lease[] {
  const seen = [...observation.values()];
  return seen.filter(({ changedMs }) => changedMs > sinceMs).map(({ lease }) => lease);
}

function see(before: ObservedLease | undefined, lease: Lease, nowMs: number): ObservedLease {
  return {
    lease,
    changedMs: before && isUnchanged(before.lease, lease) ? before.changedMs : nowMs,
    ownerlessSinceMs: lease.owner ? undefined : (before?.ownerlessSinceMs ?? nowMs),
    requestedSinceMs:
      lease.handoverTo === undefined
        ? undefined
        : before?.lease.handoverTo === lease.handoverTo
          ? before.requestedSinceMs
          : nowMs,
  };
}

/**
 * Every write of a holder raises the counter. But the counter of a row that was deleted and created
 * again starts from the beginning. A worker that could not reach the table in the meantime may see
 * the counter that it knew, written by another owner. So the owner and the checkpoint are compared
 * too.
 */
function isUnchanged(before: Lease, now: Lease): boolean {
  return (
    before.counter === now.counter &&
    actualOwner(before) === actualOwner(now) &&
    before.checkpoint.sequenceNumber === now.checkpoint.sequenceNumber
  );
}
