// Takes one lease, and makes sure of it when the answer did not come.

import type { Clock } from "../../clock.ts";
import { actualOwner, type Lease } from "../lease.ts";
import { type LeaseTable, LeaseTableError } from "../table.ts";

export interface Taken {
  /** The row as it is now. */
  readonly lease: Lease;
  /** Monotonic time at which the write began: trust counts from here. */
  readonly takenMs: number;
}

/** Each raises the counter: a write without an answer is made sure of by another. */
export const WRITES_TO_TAKE = 2;

/**
 * @returns `undefined` when somebody was faster.
 * @throws LeaseTableError: `unavailable` when the outcome could not be learned, else nothing was written.
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
    if (!(error instanceof LeaseTableError) || error.trouble !== "unavailable") throw error;
    const again = await takeUp(lease, workerId, lease.counter + 1, table, clock, signal).catch(
      () => undefined,
    );
    if (!again) throw error;
    return again;
  }
}

/**
 * What became of a take without an answer: the lease is taken up if it came through.
 *
 * @param highest counter that a write of ours can have given it.
 * @returns `undefined` when it did not, or somebody has taken the lease since.
 */
export async function takeUp(
  { shardId }: Lease,
  workerId: string,
  highest: number,
  table: LeaseTable,
  clock: Clock,
  signal: AbortSignal,
): Promise<Taken | undefined> {
  const found = await table.read(shardId, signal);
  if (!found || actualOwner(found) !== workerId || found.counter > highest) return undefined;
  // But since when? It may be an earlier write of ours that came through late, and not this one: then others have watched
  // the counter stand still for longer than we think. Only a write of now is a beginning of trust.
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
