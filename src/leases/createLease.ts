// Creates one lease, and makes sure of it when the answer did not come: who made it goes on with what follows from that.

import type { NewLease } from "./lease.ts";
import { type LeaseTable, LeaseTableError } from "./table.ts";

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
