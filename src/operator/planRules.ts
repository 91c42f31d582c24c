// Finds the leases that break the rules 1 and 3 of plan.ts.

import { hasEnded, type Lease } from "../leases/lease.ts";
import { type Position, TRIM_HORIZON } from "../model/position.ts";
import type { Lineage } from "./lineage.ts";
import type { PlanView } from "./planTypes.ts";

export const BEGINNING = TRIM_HORIZON;

/** Leases that have begun although an ancestor of their shard is unfinished: they break rule 1. */
export function begunTooEarly(leases: readonly Lease[], lineage: Lineage): readonly string[] {
  const unfinished = leases.filter((lease) => !hasEnded(lease)).map(({ shardId }) => shardId);
  const waiting = lineage.descendants(unfinished);
  return leases
    .filter((lease) => waiting.has(lease.shardId) && hasNumberOrEnd(lease))
    .map(({ shardId }) => shardId)
    .sort();
}

/**
 * The unfinished ancestors whose records would be skipped (rule 3). An ancestor that the stream no
 * longer lists has no records left to read.
 */
export function passedOver(
  shardId: string,
  to: Position,
  scope: ReadonlySet<string>,
  { lineage, leases, shards }: PlanView,
): readonly string[] {
  if (to.sequenceNumber === "TRIM_HORIZON") return [];
  const ancestors = lineage.ancestors([shardId]);
  const listed = new Set(shards.map((shard) => shard.shardId));
  return leases
    .filter((lease) => ancestors.has(lease.shardId) && !hasEnded(lease))
    .filter((lease) => listed.has(lease.shardId) && !scope.has(lease.shardId))
    .map((ancestor) => ancestor.shardId);
}

/** Descendants that would be ahead of the shard if it became unfinished. */
export function begunAfter(
  lease: Lease,
  lineage: Lineage,
  leases: ReadonlyMap<string, Lease>,
  asked: ReadonlySet<string>,
): readonly string[] {
  const after = lineage.descendants([lease.shardId]);
  const isCutOff = (id: string) =>
    lineage.parents(id).some((parent) => after.has(parent) && !leases.has(parent));
  return [...after].filter((id) => {
    const descendant = leases.get(id);
    if (!descendant || asked.has(id)) return false;
    if (isCutOff(id)) return true;
    // While the parent is unfinished, a lease at TRIM_HORIZON, LATEST or AT_TIMESTAMP has not
    // begun. After the parent is finished, a worker may be reading there.
    return hasEnded(lease)
      ? descendant.checkpoint.sequenceNumber !== "TRIM_HORIZON" || descendant.owner !== undefined
      : hasNumberOrEnd(descendant);
  });
}

function hasNumberOrEnd({ checkpoint: { sequenceNumber } }: Lease): boolean {
  return sequenceNumber === "SHARD_END" || /^\d/.test(sequenceNumber);
}
