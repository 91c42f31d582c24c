// How the leases are shared, for whoever watches the fleet. Pure; nothing is decided by it.

import { actualOwner, hasEnded } from "../lease.ts";
import type { AssignmentView } from "./assignment.ts";

export interface Balance {
  /** Live workers, this one included. */
  readonly workers: number;
  /** Leases of shards that have not ended. */
  readonly leases: number;
  readonly expired: number;
  readonly unowned: number;
  readonly neglected: number;
}

/** As in Java, a lease is very old after this number of failover times. */
const NEGLECTED_AFTER = 3;

export function balanceOf(
  { leases, workerId, nowMs }: AssignmentView,
  failoverTimeMillis: number,
): Balance {
  const live = new Set([workerId]);
  const count = { leases: 0, expired: 0, unowned: 0, neglected: 0 };
  for (const { lease, changedMs, ownerlessSinceMs } of leases.values()) {
    if (hasEnded(lease)) continue;
    count.leases += 1;
    const owner = actualOwner(lease);
    const quietMs = nowMs - (ownerlessSinceMs ?? changedMs);
    const isExpired = owner !== workerId && quietMs > failoverTimeMillis;
    if (owner === undefined) count.unowned += 1;
    else if (isExpired) count.expired += 1;
    else live.add(owner);
    if (isExpired && quietMs > NEGLECTED_AFTER * failoverTimeMillis) count.neglected += 1;
  }
  return { workers: live.size, ...count };
}
