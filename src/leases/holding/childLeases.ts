// Creates the leases of a finished shard's children before SHARD_END is stored. If the process dies
// in between, no shard is left without a lease. The children wait for their parents, which keeps
// the order of records.

import { TRIM_HORIZON } from "../../model/position.ts";
import type { ChildShard } from "../../model/shard.ts";
import type { NewLease } from "../lease.ts";
import { createLease } from "../table/createLease.ts";
import type { LeaseTable } from "../table.ts";

/** Children start at their first record, whatever initial position the application has. */
export function childLease({ shardId, parentShardIds, hashKeyRange }: ChildShard): NewLease {
  return { shardId, parentShardIds, hashKeyRange, checkpoint: TRIM_HORIZON };
}

/**
 * Creates the missing leases. Both parents of a merge do this; the second one finds them created.
 *
 * The lease of a merged child is created only when both parents have leases. With the child's lease
 * in the table, shard sync would count the other parent as processed and never create its lease.
 *
 * @param isHeld whether the lease of the finished shard is still trusted.
 * @returns `"later"` when the other parent has no lease yet; `lost`: why the lease must be given
 *   up. As in KCL, that is so when the row of the finished shard is gone, or its children are not
 *   plausible.
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
        lost: `it ended with one child, ${only.shardId}, whose parents are [${parents.join(", ")}]; the child of a merge has two parents`,
      };
    }
    if (!(await mayMerge(shardId, only, table, signal))) return "later";
  }
  for (const child of children) {
    // A process that was suspended may have lost the lease. Other workers may have processed and
    // deleted these leases since then, so it must not create them again.
    if (!isHeld()) return { lost: "its time ran out before all its children had leases" };
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
