// Is every hash key read by somebody? Looked at now and then, by one worker. Resharding needs no audit, for the end
// of a shard makes its children's leases; this catches what slipped through: a row deleted by hand, a worker that
// died while it filled an empty table, a stream that was made anew under its old name.

import type { Shard } from "../../model/shard.ts";
import { hasEnded, type Lease } from "../lease.ts";
import { findHole, type HashRangeHole, overlap } from "./hashRangeHole.ts";
import type { Tracked } from "./sync.ts";

/** The hole seen last, and how often in a row. */
export interface Suspicion {
  readonly hole: HashRangeHole;
  readonly times: number;
}

/** Leases being read whose rows do not say which hash keys they hold. */
export function leasesWithoutRange(leases: readonly Lease[]): readonly Lease[] {
  return leases.filter((lease) => !hasEnded(lease) && !lease.hashKeyRange);
}

/**
 * The same hole must be seen several times in a row before it is believed: a scan is not a snapshot, and can show
 * a parent already ended and its children not yet there.
 *
 * @param shards where to look up ranges that rows do not have; a lease without any range covers nothing.
 */
export function audit(
  before: Suspicion | undefined,
  leases: readonly Lease[],
  shards: readonly Shard[],
): Suspicion | undefined {
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

/** A hole as one look at the whole table shows it. */
export interface HoleInTable {
  readonly suspicion: Suspicion;
  readonly rows: Tracked;
}

/** Between two looks no row came or went, and the hole stayed: nobody is filling it. */
export function isLeftAlone(before: HoleInTable, now: HoleInTable): boolean {
  return now.suspicion.times > before.suspicion.times && sameRows(before.rows, now.rows);
}

function sameRows(before: Tracked, now: Tracked): boolean {
  return before.size === now.size && [...before.keys()].every((shardId) => now.has(shardId));
}

/** The open shards in a hole: those without a lease that somebody can read by. */
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
