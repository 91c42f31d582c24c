// Which leases are in living hands? A worker that renewed any of its leases while we watched lives, and holds them all.

import type { Lease } from "../leases/lease.ts";
import { isLeaseRow } from "./leaseLines.ts";
import { everyOwnerSeen, type Observed, observe } from "./observe.ts";
import type { Target } from "./target.ts";

/** Room for a renewal that comes late; other workers wait no longer either. */
const FAILOVER_SHARE = 1.05;
/** Every living worker renews within a third of the failover time. */
const RENEWAL_SHARE = 0.37;

export interface Held {
  readonly shardId: string;
  readonly owner: string;
}

/**
 * Watches until it is known who holds the leases: at most a failover time, after which nobody does.
 *
 * @param shardIds the leases that matter; without an owner in any of them there is nothing to watch.
 */
export async function heldByTheLiving(
  shardIds: ReadonlySet<string>,
  { rows, clock, failoverTimeMillis }: Target,
  signal: AbortSignal,
): Promise<readonly Held[]> {
  const startMs = clock.monotonicMs();
  const mattering = (observed: Observed) =>
    leasesOf(observed).filter(({ shardId }) => shardIds.has(shardId));
  const enough = (observed: Observed) => {
    if (mattering(observed).every(({ owner }) => !owner) || everyOwnerSeen(observed)) return true;
    const isLong = clock.monotonicMs() - startMs > failoverTimeMillis * RENEWAL_SHARE;
    return isLong && held(mattering(observed), living(observed)).length > 0;
  };
  const forMs = failoverTimeMillis * FAILOVER_SHARE;
  const observed = await observe({ rows, clock, signal }, forMs, enough);
  return held(mattering(observed), living(observed));
}

function living(observed: Observed): ReadonlySet<string> {
  const renewed = leasesOf(observed).filter(
    ({ shardId }) => observed.watch.renewal(shardId)?.atMostMs !== undefined,
  );
  return new Set(
    renewed.flatMap(({ owner, checkpointOwner }) => [owner ?? [], checkpointOwner ?? []].flat()),
  );
}

function held(leases: readonly Lease[], living: ReadonlySet<string>): readonly Held[] {
  return leases.flatMap(({ shardId, owner, checkpointOwner }) => {
    const holder = [checkpointOwner, owner].find((name) => name !== undefined && living.has(name));
    return holder === undefined ? [] : [{ shardId, owner: holder }];
  });
}

function leasesOf({ rows }: Observed): readonly Lease[] {
  return rows.filter(isLeaseRow).map(({ lease }) => lease);
}
