// Which leases of finished shards can go. Pure. A lease is kept as long as something may still need it: its
// children wait for it, a shard sync would miss it, or its own parent is still there (the oldest go first).

import type { Shard } from "../../model/shard.ts";
import { hasEnded, type Lease } from "../lease.ts";

/** Finished leases whose children have all got somewhere, and which have no parent left in the table. */
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

/** Finished leases that do not know their children: the shard was gone before its end could be read. */
export function childlessLeases(leases: readonly Lease[]): readonly Lease[] {
  return leases.filter((lease) => hasEnded(lease) && lease.childShardIds.length === 0);
}

/** What the stream's listing says of such a lease: its children, or that the shard is beyond retention. */
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
