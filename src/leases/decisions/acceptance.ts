// What a worker takes in a fleet of KCL 3.x whose leader assigns the leases. Pure.
//
// It takes the leases that carry its worker id. It also rescues leases that nobody has read for so
// long that the leader should have assigned them: the leader is dead, or another one is about to
// lead (Java takes two minutes for that). A rescue is safe because the leader's writes are
// conditional on the owner that it has seen.

import { actualOwner, hasEnded } from "../lease.ts";
import {
  type AssignmentSettings,
  type AssignmentView,
  asTake,
  isUnderOurId,
  shuffled,
  type Take,
} from "./assignment.ts";
import type { ObservedLease } from "./observation.ts";

export interface AcceptanceSettings extends AssignmentSettings {
  /** How often the leader of a 3.x fleet assigns leases. */
  readonly leaseAssignmentIntervalMillis: number;
}

/** In runs of the leader: a lease that it has not assigned after these is rescued. */
const LEADER_RUNS = 1.5;

export function accept(view: AssignmentView, settings: AcceptanceSettings): readonly Take[] {
  const { failoverTimeMillis, leaseAssignmentIntervalMillis, maxLeasesForWorker } = settings;
  const { workerId, busy, expected, firstPass, nowMs } = view;
  const work = [...view.leases.values()].filter(({ lease }) => !hasEnded(lease));
  const assigned = work.filter((seen) => isUnderOurId(seen, view));
  const isAssigned = new Set(assigned);
  const rescueAfterMs = failoverTimeMillis + LEADER_RUNS * leaseAssignmentIntervalMillis;
  const unassigned = work.filter((seen) => {
    const { lease, ownerlessSinceMs, changedMs } = seen;
    if (isAssigned.has(seen) || busy.has(lease.shardId)) return false;
    return (
      lease.checkpointOwner === undefined && nowMs - (ownerlessSinceMs ?? changedMs) > rescueAfterMs
    );
  });
  const mine = work.filter(({ lease }) => actualOwner(lease) === workerId).length;
  const room = Math.max(0, maxLeasesForWorker - mine);
  return [
    ...assigned.map(({ lease }) => ({
      lease,
      how: expected.has(lease.shardId)
        ? ("handedOver" as const)
        : firstPass
          ? ("resumed" as const)
          : ("assigned" as const),
    })),
    ...shuffled(unassigned, view.random)
      .slice(0, room)
      .map((seen) => asTake(seen, view)),
  ];
}

/**
 * Whether a lease may need to be rescued: nobody was seen to keep it alive, and it is neither ours
 * nor being handed over.
 */
export function isOverdue(
  { lease, changedMs, ownerlessSinceMs }: ObservedLease,
  workerId: string,
  nowMs: number,
  failoverTimeMillis: number,
): boolean {
  if (hasEnded(lease) || lease.checkpointOwner !== undefined || lease.owner === workerId)
    return false;
  return ownerlessSinceMs !== undefined || nowMs - changedMs > failoverTimeMillis;
}
