// Creates one lease, and makes sure of it when the answer did not come: who made it goes on with what follows from that.
//
// A request that is carried out late finds the row, and changes nothing. Only if the lease was finished and deleted meanwhile does
// it come back: its shard is read again from its first record, which repeats records and loses none, and then the row goes as any
// finished one. That takes a request that is older than a cleanup interval (housekeeping.ts), for those who decide by an old look at
// the table, or have slept, do not make any (shardSync.ts, childLeases.ts).

import type { NewLease } from "../lease.ts";
import { type LeaseTable, LeaseTableError } from "../table.ts";

/** @throws LeaseTableError when the lease is not there, or that could not be learned. */
export async function createLease(
  lease: NewLease,
  table: LeaseTable,
  signal: AbortSignal,
): Promise<"created" | "exists"> {
  try {
    return await table.create(lease, signal);
  } catch (error) {
    if (!(error instanceof LeaseTableError) || error.trouble !== "unavailable") throw error;
    const found = await table.read(lease.shardId, signal);
    if (!found) throw error;
    // As it was made; nobody has had it.
    return found.counter === 0 && found.owner === undefined ? "created" : "exists";
  }
}
