// The parts of a plan for moving checkpoints. plan.ts explains the rules that make one.

import type { Lease, NewLease } from "../leases/lease.ts";
import type { StoredRow } from "../leases/table/rows.ts";
import type { Position } from "../model/position.ts";
import type { Shard } from "../model/shard.ts";
import type { Lineage } from "./lineage.ts";

/** One write to one lease. */
export interface Step {
  readonly shardId: string;
  /** The present checkpoint; `undefined` when there is no lease. */
  readonly now: Position | undefined;
  readonly to: Position;
  readonly why: string;
  /** The lease to create if there is none. */
  readonly create?: NewLease;
  /**
   * The row belongs to another stream or to an earlier stream of the same name, so the step
   * replaces it as a whole. Without `create`, the step deletes it.
   */
  readonly anew?: true;
  /** The whole row to write back. */
  readonly stored?: StoredRow;
  /** The checkpoint that a restore gives to the lease that this step creates. */
  readonly undo?: "SHARD_END" | "TRIM_HORIZON";
}

export interface Plan {
  /** In the order in which to write them. */
  readonly steps: readonly Step[];
  /** Shards whose checkpoint needs no change. */
  readonly unchanged: readonly string[];
  readonly notes: readonly string[];
  /** Why the plan is impossible. If there is a refusal, there are no steps. */
  readonly refusals: readonly string[];
}

/** What a plan is made from. */
export interface PlanView {
  readonly leases: readonly Lease[];
  /** All shards that the stream lists. */
  readonly shards: readonly Shard[];
  readonly lineage: Lineage;
  /** The shards that were open at the moment to go to. */
  readonly front: ReadonlySet<string>;
  /** The position of that moment in each shard of the front that has to move. */
  readonly positions: ReadonlyMap<string, Position>;
  /** The shards to move, together with all their descendants; `undefined` for all shards. */
  readonly asked: readonly string[] | undefined;
}
