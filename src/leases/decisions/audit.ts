// Does a lease cover every hash key? One worker checks this from time to time. Resharding needs no
// audit, because the end of a shard creates its children's leases. The audit finds other causes of
// a hole: a row that was deleted by hand, a worker that died while it filled an empty table, or a
// stream that was deleted and created again under its name.

import type { Shard } from "../../model/shard.ts";
import { hasEnded, type Lease } from "../lease.ts";
import { findHole, type HashRangeHole, overlap } from "./hashRangeHole.ts";
import type { Tracked } from "./sync.ts";

/** The hole that the last audit found, and how many audits in a row found it. */
export interface SeenHole {
  readonly hole: HashRangeHole;
  readonly times: number;
}

/** Leases that have not ended and whose rows carry no hash key range. */
export function leasesWithoutRange(leases: readonly Lease[]): readonly Lease[] {
  return leases.filter((lease) => !hasEnded(lease) && !lease.hashKeyRange);
}

/**
 * A hole counts only when several audits in a row find it: a scan is not a snapshot, and can show a
 * parent that has ended but not yet its children.
 *
 * @param shards where to look up ranges that rows lack; a lease without any range covers nothing.
 */
export function audit(
  before: SeenHole | undefined,
  leases: readonly Lease[],
  shards: readonly Shard[],
): SeenHole | undefined {
  const listed = new Map(shards.map((shard) => [shard.shardId, shard.hashKeyRange]));
  const ranges = leases
    .filter((lease) => !hasEnded(lease))
    .flatMap((lease) => lease.hashKeyRange ?? listed.get(lease.shardId) ?? []);
  const hole = findHole(ranges);
  if (!hole) return undefined;
  const same =
    before?.hole.fromHashKey === hole.fromHashKey && before.hole.toHashKey === hole.toHashKey;
  return { hole, times: same ? before.times + 1 : 1 };
}

/** A hole as one scan of the table shows it. */
export interface HoleInTable {
  readonly seen: SeenHole;
  readonly rows: Tracked;
}

/** Between two scans no row was added or removed, and the hole remained: nobody is filling it. */
export function isUnattended(before: HoleInTable, now: HoleInTable): boolean {
  return now.seen.times > before.seen.times && sameRows(before.rows, now.rows);
}

function sameRows(before: Tracked, now: Tracked): boolean {
  return before.size === now.size && [...before.keys()].every((shardId) => now.has(shardId));
}

/** The open shards in a hole: those without a lease that has not ended. */
export function unreadShards(
  { fromHashKey, toHashKey }: HashRangeHole,
  leases: readonly Lease[],
  shards: readonly Shard[],
): readonly string[] {
  const read = new Set(leases.filter((lease) => !hasEnded(lease)).map(({ shardId }) => shardId));
  const hole = { startingHashKey: fromHashKey, endingHashKey: toHashKey };
  const isUnread = ({ shardId, endingSequenceNumber, hashKeyRange }: Shard) =>
    endingSequenceNumber === undefined && !read.has(shardId) && overlap(hashKeyRange, hole);
  return shards.filter(isUnread).map(({ shardId }) => shardId);
}
