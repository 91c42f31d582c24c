// How old is a lease? Decided by this worker's own clock alone, from watching counters change: the clocks of workers
// need not agree, and a worker that has just started knows nothing and so waits a whole lease before it may judge.

import { actualOwner, type Lease } from "../lease.ts";

/** A lease with what this worker knows from watching it. Times are on its monotonic clock, in milliseconds. */
export interface ObservedLease {
  readonly lease: Lease;
  /** When its holder was last seen to write to it; for a lease first seen with an owner, when it was first seen. */
  readonly changedMs: number;
  /** When it was first seen without a break in having no owner; `undefined` while it has one. */
  readonly ownerlessSinceMs: number | undefined;
  /** When the same worker was first seen to ask for it; `undefined` while nobody does. */
  readonly askedSinceMs?: number | undefined;
}

export type Observation = ReadonlyMap<string, ObservedLease>;

export const NOTHING_SEEN: Observation = new Map();

/**
 * @param before what this worker knew; asked once for each lease.
 * @param leases what a scan returned; leases missing from it are forgotten.
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

/** The leases whose holders were seen to write to them after a moment. */
export function changedSince(sinceMs: number, observation: Observation): readonly Lease[] {
  const seen = [...observation.values()];
  return seen.filter(({ changedMs }) => changedMs > sinceMs).map(({ lease }) => lease);
}

function see(before: ObservedLease | undefined, lease: Lease, nowMs: number): ObservedLease {
  return {
    lease,
    changedMs: before && isUnchanged(before.lease, lease) ? before.changedMs : nowMs,
    ownerlessSinceMs: lease.owner ? undefined : (before?.ownerlessSinceMs ?? nowMs),
    askedSinceMs:
      lease.handoverTo === undefined
        ? undefined
        : before?.lease.handoverTo === lease.handoverTo
          ? before.askedSinceMs
          : nowMs,
  };
}

/**
 * Every write of a holder raises the counter. A row that was deleted and made anew counts from the beginning, though: who was
 * cut off from the table meanwhile may find the number that he knew, in the hands of another.
 */
function isUnchanged(before: Lease, now: Lease): boolean {
  return (
    before.counter === now.counter &&
    actualOwner(before) === actualOwner(now) &&
    before.checkpoint.sequenceNumber === now.checkpoint.sequenceNumber
  );
}
