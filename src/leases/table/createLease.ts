// Creates one lease, and finds out whether the create succeeded when no response came: the worker
// that created a lease continues with what follows from that.
//
// A create that DynamoDB executes late finds the row and changes nothing. Only if the lease was
// finished and deleted in the meantime does it appear again. Then its shard is read again from its
// first record, which repeats records and loses none, and the lease is later deleted as any
// finished one. This is only possible if a create is delayed by more than a cleanup interval
// (housekeeping.ts), because workers with a stale scan, or that were suspended, do not create
// leases (shardSync.ts, childLeases.ts).

import type { NewLease } from "../lease.ts";
import { type LeaseTable, LeaseTableError } from "../table.ts";

/** @throws LeaseTableError when the lease does not exist, or it is unknown whether it does. */
export async function createLease(
  lease: NewLease,
  table: LeaseTable,
  signal: AbortSignal,
): Promise<"created" | "exists"> {
  try {
    return await table.create(lease, signal);
  } catch (error) {
    if (!(error instanceof LeaseTableError) || error.reason !== "unavailable") throw error;
    const found = await table.read(lease.shardId, signal);
    if (!found) throw error;
    // The row is as we would have created it, and nobody has owned it.
    return found.counter === 0 && found.owner === undefined ? "created" : "exists";
  }
}
