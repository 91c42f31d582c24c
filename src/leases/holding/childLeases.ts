// What becomes of a finished shard: leases for its children, before the end of the shard is stored. So whatever dies in
// between, no shard is left without a lease; that the children wait for their parents keeps the order.

import { TRIM_HORIZON } from "../../model/position.ts";
import type { ChildShard } from "../../model/shard.ts";
import type { NewLease } from "../lease.ts";
import { createLease } from "../table/createLease.ts";
import type { LeaseTable } from "../table.ts";

/** Children begin at their first record, wherever the application began. */
export function childLease({ shardId, parentShardIds, hashKeyRange }: ChildShard): NewLease {
  return { shardId, parentShardIds, hashKeyRange, checkpoint: TRIM_HORIZON };
}

/**
 * Creates the leases that are missing; both parents of a merge do this, and the slower finds it done.
 *
 * A merged child is made only when both parents have leases: with its own lease in the table the other
 * parent would count as read, and a shard sync would never make the missing one.
 *
 * @param isHeld whether the lease of the finished shard is still trusted.
 * @returns `"later"` when the other parent has no lease yet; `lost`: why the lease must be given up, as KCL does when
 *   the row of the finished shard is gone, or its children make no sense.
 */
export async function addChildLeases(
  shardId: string,
  children: readonly ChildShard[],
  table: LeaseTable,
  created: (lease: NewLease) => void,
  isHeld: () => boolean,
  signal: AbortSignal,
): Promise<"added" | "later" | { readonly lost: string }> {
  if (children.length === 0) return "added";
  const [only] = children;
  if (only && children.length === 1) {
    const parents = only.parentShardIds;
    if (parents.length !== 2) {
      return {
        lost: `it ended with the one child ${only.shardId}, which names the parents [${parents.join(", ")}]; a merge has two`,
      };
    }
    if (!(await mayMerge(shardId, only, table, signal))) return "later";
  }
  for (const child of children) {
    // Whoever slept through the loss of the lease must not make anew what others have read to its end, and deleted, meanwhile.
    if (!isHeld()) return { lost: "its time ran out before its children had leases" };
    const lease = childLease(child);
    if ((await createLease(lease, table, signal)) === "created") created(lease);
  }
  const ids = children.map((child) => child.shardId);
  return (await table.noteChildren(shardId, ids, signal)) === "written"
    ? "added"
    : { lost: "its row was deleted from the lease table" };
}

async function mayMerge(
  shardId: string,
  child: ChildShard,
  table: LeaseTable,
  signal: AbortSignal,
): Promise<boolean> {
  if (await table.read(child.shardId, signal)) return true;
  const other = child.parentShardIds.find((parent) => parent !== shardId);
  return other !== undefined && (await table.read(other, signal)) !== undefined;
}
