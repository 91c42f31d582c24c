// Takes one lease, and makes sure of it when the answer did not come.

import type { Clock } from "../clock.ts";
import type { Lease } from "./lease.ts";
import { type LeaseTable, LeaseTableError, type WriteResult } from "./table.ts";

export interface Taken {
  /** The row as it is now. */
  readonly lease: Lease;
  /** Monotonic time at which the write began: trust counts from here. */
  readonly takenMs: number;
}

/**
 * @returns `undefined` when somebody was faster.
 * @throws LeaseTableError when the outcome could not be learned, or nothing was written.
 */
export async function takeLease(
  lease: Lease,
  workerId: string,
  table: LeaseTable,
  clock: Clock,
  signal: AbortSignal,
): Promise<Taken | undefined> {
  const takenMs = clock.monotonicMs();
  let result: WriteResult;
  try {
    result = await table.take(lease, workerId, signal);
  } catch (error) {
    if (!(error instanceof LeaseTableError) || error.trouble !== "unavailable") throw error;
    const found = await table.read(lease.shardId, signal);
    if (found?.owner === workerId && found.counter === lease.counter + 1) {
      return { lease: found, takenMs };
    }
    throw error;
  }
  if (result === "conflict") return undefined;
  const { checkpointOwner: _, ...rest } = lease;
  return { lease: { ...rest, owner: workerId, counter: lease.counter + 1 }, takenMs };
}
