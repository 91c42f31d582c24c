// Decides how to go back to the leases of a backup. Pure. The rules of plan.ts apply here, too:
// since the backup, shards may have been split, and leases may have been created or deleted.

import { hasEnded, type Lease } from "../leases/lease.ts";
import { comparePositions, type Position, SHARD_END } from "../model/position.ts";
import type { Backup } from "./backup.ts";
import { inOrder, stateAfter } from "./draft.ts";
import { Lineage } from "./lineage.ts";
import { BEGINNING } from "./planRules.ts";
import type { Plan, Step } from "./planTypes.ts";

/** @param leases the present leases. */
export function planRestore(backup: Backup, leases: readonly Lease[]): Plan {
  const now = new Map(leases.map((lease) => [lease.shardId, lease]));
  const saved = backup.rows.map(({ lease }) => lease);
  const lineage = new Lineage(backup.shards, [...leases, ...saved]);
  const steps: Step[] = [];
  const unchanged: string[] = [];
  const move = (
    shardId: string,
    to: Position,
    why: string,
    rest: Partial<Step> = {},
    owner?: string,
  ) => {
    const is = now.get(shardId)?.checkpoint;
    // A lease at SHARD_END that workers have deleted since needs no write.
    const isThere = is ? comparePositions(is, to) === 0 : to.sequenceNumber === "SHARD_END";
    if (isThere && owner === undefined) unchanged.push(shardId);
    else steps.push({ shardId, now: is, to, why, ...rest });
  };

  for (const { lease, stored } of backup.rows) {
    move(lease.shardId, lease.checkpoint, "as saved in the backup", { stored });
  }
  for (const { shardId, undo } of backup.made) {
    if (!now.has(shardId) || !undo) continue;
    const to = undo === "SHARD_END" ? SHARD_END : BEGINNING;
    move(
      shardId,
      to,
      undo === "SHARD_END" ? "was finished at that time" : "had not begun at that time",
    );
  }
  const touched = new Set([...saved, ...backup.made].map(({ shardId }) => shardId));
  const unfinished = saved.filter((lease) => !hasEnded(lease)).map(({ shardId }) => shardId);
  const isToCome = lineage.descendants(unfinished);
  for (const { shardId, owner } of leases.filter((lease) => !touched.has(lease.shardId))) {
    // A lease at its beginning is written, too, if a worker holds it: the worker may be reading.
    if (isToCome.has(shardId)) move(shardId, BEGINNING, "had not begun at that time", {}, owner);
  }
  const shards = new Map(backup.shards.map((shard) => [shard.shardId, shard]));
  for (const shardId of lineage.gaps(stateAfter(leases, steps))) {
    const shard = shards.get(shardId);
    const create = shard && { ...shard, checkpoint: BEGINNING };
    if (create) move(shardId, BEGINNING, "had not begun at that time", { create });
  }
  return { steps: inOrder(steps, lineage), unchanged, notes: [], refusals: [] };
}
