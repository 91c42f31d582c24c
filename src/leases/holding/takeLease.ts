// Takes one lease, and finds out whether the take succeeded when no response came.

import type { Clock } from "../../clock.ts";
import { actualOwner, type Lease } from "../lease.ts";
import { type LeaseTable, LeaseTableError } from "../table.ts";

export interface Taken {
  /** The row after the take. */
  readonly lease: Lease;
  /** Monotonic time at which the write began: the lease is trusted from then on. */
  readonly takenMs: number;
}

/**
 * The number of writes in one take. Each raises the counter: a write without a response is followed
 * by another one.
 */
export const WRITES_TO_TAKE = 2;

/**
 * @returns `undefined` when another worker was faster.
 * @throws LeaseTableError `unavailable` when the result is unknown; otherwise nothing was written.
 */
export async function takeLease(
  lease: Lease,
  workerId: string,
  table: LeaseTable,
  clock: Clock,
  signal: AbortSignal,
): Promise<Taken | undefined> {
  try {
    return await write(lease, workerId, table, clock, signal);
  } catch (error) {
    if (!(error instanceof LeaseTableError) || error.reason !== "unavailable") throw error;
    const again = await confirmTake(lease, workerId, lease.counter + 1, table, clock, signal).catch(
      () => undefined,
    );
    if (!again) throw error;
    return again;
  }
}

/**
 * Finds out whether a take without a response succeeded. If it did, the lease is taken once more.
 *
 * @param highest the highest counter that a write of ours can have given it.
 * @returns `undefined` when it did not succeed, or another worker has taken the lease since.
 */
export async function confirmTake(
  { shardId }: Lease,
  workerId: string,
  highest: number,
  table: LeaseTable,
  clock: Clock,
  signal: AbortSignal,
): Promise<Taken | undefined> {
  const found = await table.read(shardId, signal);
  if (!found || actualOwner(found) !== workerId || found.counter > highest) return undefined;
  // The row is ours, but since when? An earlier write of ours may have succeeded late: then other
  // workers have seen the counter unchanged for longer than we think. Only a new write is a safe
  // start of trust.
  return write(found, workerId, table, clock, signal);
}

async function write(
  lease: Lease,
  workerId: string,
  table: LeaseTable,
  clock: Clock,
  signal: AbortSignal,
): Promise<Taken | undefined> {
  const takenMs = clock.monotonicMs();
  if ((await table.take(lease, workerId, signal)) === "conflict") return undefined;
  const { checkpointOwner: _, ...rest } = lease;
  return { lease: { ...rest, owner: workerId, counter: lease.counter + 1 }, takenMs };
}
