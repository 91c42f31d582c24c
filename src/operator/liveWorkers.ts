// Finds the leases that live workers hold. A worker that renews any of its leases while we watch is
// alive, and holds all of its leases.

import type { Lease } from "../leases/lease.ts";
import { everyOwnerSeen, type Observed, observe, RENEWAL_SHARE } from "./observe.ts";
import { leasesIn } from "./rowKinds.ts";
import type { Target } from "./target.ts";

/**
 * How long to watch, as a multiple of the failover time. The 5 % are for a renewal that comes late;
 * other workers do not wait longer before they take an expired lease.
 */
const FAILOVER_SHARE = 1.05;

export interface HeldLease {
  readonly shardId: string;
  readonly owner: string;
}

/**
 * Watches until it is certain who holds the leases, for about one failover time at most. A worker
 * that has not renewed by then is not alive.
 *
 * @param shardIds the leases that matter. If none of them has an owner, there is nothing to watch.
 */
export async function heldByLiveWorkers(
  shardIds: ReadonlySet<string>,
  { rows, clock, failoverTimeMillis }: Target,
  signal: AbortSignal,
): Promise<readonly HeldLease[]> {
  const startMs = clock.monotonicMs();
  const relevant = (observed: Observed) =>
    leasesIn(observed.rows).filter(({ shardId }) => shardIds.has(shardId));
  const enough = (observed: Observed) => {
    if (relevant(observed).every(({ owner }) => !owner) || everyOwnerSeen(observed)) return true;
    const isLong = clock.monotonicMs() - startMs > failoverTimeMillis * RENEWAL_SHARE;
    return isLong && held(relevant(observed), aliveIn(observed)).length > 0;
  };
  const forMs = failoverTimeMillis * FAILOVER_SHARE;
  const observed = await observe({ rows, clock, signal }, forMs, enough);
  return held(relevant(observed), aliveIn(observed));
}

function aliveIn(observed: Observed): ReadonlySet<string> {
  const renewed = leasesIn(observed.rows).filter(
    ({ shardId }) => observed.watch.renewal(shardId)?.atMostMs !== undefined,
  );
  return new Set(
    renewed.flatMap(({ owner, checkpointOwner }) => [owner ?? [], checkpointOwner ?? []].flat()),
  );
}

function held(leases: readonly Lease[], alive: ReadonlySet<string>): readonly HeldLease[] {
  return leases.flatMap(({ shardId, owner, checkpointOwner }) => {
    const holder = [checkpointOwner, owner].find((name) => name !== undefined && alive.has(name));
    return holder === undefined ? [] : [{ shardId, owner: holder }];
  });
}
