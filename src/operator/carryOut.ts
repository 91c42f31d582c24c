// Carries a plan out: one conditional write for each lease, in the plan's order. Each write fences
// off the worker that holds the lease. If a lease has changed since it was read, a worker is
// active: with --force the write is repeated on the changed row, otherwise everything stops.

import type { Lease } from "../leases/lease.ts";
import type { LeaseRow, LeaseRows } from "../leases/table/rows.ts";
import type { WriteResult } from "../leases/table.ts";
import { formatPosition } from "../model/position.ts";
import type { Plan, Step } from "./planTypes.ts";

export interface CarryOutOptions {
  readonly rows: LeaseRows;
  /** The leases from which the plan was made. */
  readonly read: ReadonlyMap<string, LeaseRow>;
  /** Also overwrite leases that have changed since. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  readonly wrote: (step: Step) => void;
}

/** Why the work stopped; `undefined` when everything was written. */
export type Stopped = string | undefined;

/** A live worker writes a lease every few seconds, so it cannot interfere this often in a row. */
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
    if (found && found.type !== "lease") return `the row of ${shardId} is no longer a lease`;
    if (!force) return whatHappened(shardId, row, found);
    row = found;
  }
  return `another process changed the lease of ${shardId} ${ATTEMPTS} times in a row`;
}

async function write(
  step: Step,
  row: LeaseRow | undefined,
  { rows, signal }: CarryOutOptions,
): Promise<"done" | "lost"> {
  const { to, create, stored } = step;
  if (!row) {
    const made = stored ?? create;
    // A worker has deleted the finished lease meanwhile. A lease that should be at SHARD_END may
    // stay missing: its children do not wait for it.
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
  if (!now) return `another process deleted the lease of ${shardId} meanwhile`;
  const { owner, checkpoint } = now.lease;
  if (owner && owner !== before?.lease.owner)
    return `worker ${owner} took the lease of ${shardId} meanwhile`;
  return `another process changed the lease of ${shardId} meanwhile (its checkpoint is ${formatPosition(checkpoint)})`;
}
