// Which leases of finished shards can be deleted. Pure. A lease is kept while something may need
// it: its children wait for it, shard sync would create it again, or its own parent's lease still
// exists (the oldest are deleted first).

import type { Shard } from "../../model/shard.ts";
import { hasEnded, type Lease } from "../lease.ts";

/** Finished leases whose children all have a checkpoint, and whose parents have no lease. */
export function finishedLeases(leases: readonly Lease[]): readonly Lease[] {
  const byId = new Map(leases.map((lease) => [lease.shardId, lease]));
  return leases.filter(
    (lease) =>
      hasEnded(lease) &&
      lease.childShardIds.length > 0 &&
      lease.childShardIds.every((id) => hasProgressed(byId.get(id))) &&
      !lease.parentShardIds.some((id) => byId.has(id)),
  );
}

/** Finished leases without known children: the shard left the stream before its end was read. */
export function childlessLeases(leases: readonly Lease[]): readonly Lease[] {
  return leases.filter((lease) => hasEnded(lease) && lease.childShardIds.length === 0);
}

/** What the stream's listing shows for such a lease: its children, or that the shard is gone. */
export function childrenListed(
  { shardId }: Lease,
  shards: readonly Shard[],
): { readonly gone: boolean; readonly children: readonly string[] } {
  return {
    gone: !shards.some((shard) => shard.shardId === shardId),
    children: shards
      .filter((shard) => shard.parentShardIds.includes(shardId))
      .map((shard) => shard.shardId),
  };
}

function hasProgressed(child: Lease | undefined): boolean {
  const at = child?.checkpoint.sequenceNumber;
  return at !== undefined && at !== "TRIM_HORIZON" && at !== "AT_TIMESTAMP";
}
