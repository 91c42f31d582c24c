// Carries a plan out: one conditional write a lease, in the plan's order. Each write fences who holds the lease. If a
// lease changed since it was read, somebody is at work: then it is read again and overwritten, or all stops there.

import type { Lease } from "../leases/lease.ts";
import type { LeaseRow, LeaseRows } from "../leases/table/rows.ts";
import type { WriteResult } from "../leases/table.ts";
import { formatPosition } from "../model/position.ts";
import type { Plan, Step } from "./plan.ts";

export interface CarryOutOptions {
  readonly rows: LeaseRows;
  /** The leases as they were read for the plan. */
  readonly read: ReadonlyMap<string, LeaseRow>;
  /** Overwrite also what changed since. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  readonly wrote: (step: Step) => void;
}

/** What stopped the work, or `undefined` when all was written. */
export type Stopped = string | undefined;

/** A living worker writes every few seconds; more often in a row it cannot come between. */
const ATTEMPTS = 5;

/** Rejects with LeaseTableError. */
export async function carryOut(plan: Plan, options: CarryOutOptions): Promise<Stopped> {
  for (const step of plan.steps) {
    const stopped = await carryOutStep(step, options);
    if (stopped !== undefined) return stopped;
    options.wrote(step);
  }
  return undefined;
}

async function carryOutStep(step: Step, options: CarryOutOptions): Promise<Stopped> {
  const { rows, read, force, signal } = options;
  const { shardId } = step;
  let row = read.get(shardId);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    if ((await write(step, row, options)) === "done") return undefined;
    const found = await rows.read(shardId, signal);
    if (found && found.type !== "lease") return `${shardId} is no lease any more`;
    if (!force) return whatHappened(shardId, row, found);
    row = found;
  }
  return `${shardId} was written to by somebody else ${ATTEMPTS} times in a row`;
}

async function write(
  step: Step,
  row: LeaseRow | undefined,
  { rows, signal }: CarryOutOptions,
): Promise<"done" | "lost"> {
  const { to, create, stored } = step;
  if (!row) {
    const made = stored ?? create;
    // A worker has cleaned up meanwhile: nothing waits for a lease that is gone, and the end of its parents makes it anew.
    if (!made || to.sequenceNumber === "SHARD_END") return "done";
    return (await rows.insert(made, signal)) === "created" ? "done" : "lost";
  }
  const result = await overwrite(step, row.lease, rows, signal);
  return result === "written" ? "done" : "lost";
}

function overwrite(
  { to, create, stored, anew }: Step,
  lease: Lease,
  rows: LeaseRows,
  signal: AbortSignal,
): Promise<WriteResult> {
  if (stored) return rows.putBack(lease, stored, signal);
  if (!anew) return rows.move(lease, to, signal);
  return create ? rows.replace(lease, create, signal) : rows.remove(lease, signal);
}

function whatHappened(
  shardId: string,
  before: LeaseRow | undefined,
  now: LeaseRow | undefined,
): string {
  if (!now) return `the lease of ${shardId} was deleted by somebody else meanwhile`;
  const { owner, checkpoint } = now.lease;
  if (owner && owner !== before?.lease.owner)
    return `worker ${owner} took the lease of ${shardId} meanwhile`;
  return `somebody else wrote to the lease of ${shardId} meanwhile (its checkpoint is ${formatPosition(checkpoint)})`;
}
