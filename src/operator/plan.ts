// Which checkpoints to write so that an application reads on from another place, and in which order. Pure.
//
// Leases hang together. A shard's consumer starts only when the leases of its parents are missing or at SHARD_END, and
// the end of a shard makes the leases of its children. Four rules keep every record and the order of each key:
//
//   1. What comes after an unfinished shard has not begun: its lease is at TRIM_HORIZON, or not there yet. So a way
//      back into a shard that was split or merged takes its descendants along, to their beginnings, also one that is
//      there but in somebody's hands, who may be reading it. They are kept, not deleted: they wait for their parents,
//      and a worker that still believes to hold one cannot come back into it.
//   2. What comes before the place to go to is finished. Its leases become SHARD_END, or what follows would wait for them.
//   3. Nothing is passed over that was not asked for: where only some shards are to move, a shard with an unfinished
//      ancestor outside of them moves to its beginning, or not at all.
//   4. Writes go from the old to the new, and ends are written last. Whatever stops us half-way, no shard begins before
//      its parents are where they should be.

import { contradictions } from "../leases/decisions/contradictions.ts";
import type { Lease, NewLease } from "../leases/lease.ts";
import { hasEnded } from "../leases/lease.ts";
import type { StoredRow } from "../leases/table/rows.ts";
import type { Position } from "../model/position.ts";
import { formatPosition, SHARD_END } from "../model/position.ts";
import type { Shard } from "../model/shard.ts";
import { Draft, inOrder } from "./draft.ts";
import type { Lineage } from "./lineage.ts";
import { BEGINNING, begunAfter, passedOver } from "./planRules.ts";

export interface Step {
  readonly shardId: string;
  /** As it is; `undefined` = there is no lease. */
  readonly now: Position | undefined;
  readonly to: Position;
  readonly why: string;
  /** The lease to make if there is none. */
  readonly create?: NewLease;
  /** The row is not about this stream, and nothing of it stays; without `create` it is removed. */
  readonly anew?: true;
  /** The whole row to put back. */
  readonly stored?: StoredRow;
  /** What a restore makes of a lease that was made by this step. */
  readonly undo?: "SHARD_END" | "TRIM_HORIZON";
}

export interface Plan {
  /** In the order in which to write. */
  readonly steps: readonly Step[];
  /** Shards that are where they should be. */
  readonly unchanged: readonly string[];
  readonly notes: readonly string[];
  /** Why it cannot be done; then there are no steps. */
  readonly refusals: readonly string[];
}

export interface PlanView {
  readonly leases: readonly Lease[];
  /** All that the stream lists. */
  readonly shards: readonly Shard[];
  readonly lineage: Lineage;
  /** The shards that were open at the moment to go to. */
  readonly front: ReadonlySet<string>;
  /** Where in those of them that are concerned. */
  readonly positions: ReadonlyMap<string, Position>;
  /** The shards to move with all that came of them; `undefined` = all. */
  readonly asked: readonly string[] | undefined;
}

/** Back or forth to a moment, through splits and merges. */
export function planReset(view: PlanView): Plan {
  const { lineage, front, asked } = view;
  const leases = new Map(view.leases.map((lease) => [lease.shardId, lease]));
  const listed = new Map(view.shards.map((shard) => [shard.shardId, shard]));
  const scope = asked ? new Set([...asked, ...lineage.descendants(asked)]) : new Set(listed.keys());
  const missing = (asked ?? []).filter((id) => !listed.has(id)).map(notListed);
  if (missing.length > 0) return refused(missing);

  const foreign = contradictions(view.leases, view.shards).map(({ shardId }) => shardId);
  if (foreign.length > 0 && !asked) return planAnew(view);
  const draft = new Draft(leases, lineage, new Set(foreign));
  const refusals: string[] = [];
  for (const shardId of lineage.topDown(scope)) {
    const shard = listed.get(shardId);
    if (!shard) continue;
    const era = lineage.era(shardId, front);
    if (era === "at") {
      const to = view.positions.get(shardId) ?? BEGINNING;
      for (const id of passedOver(shardId, to, scope, view))
        refusals.push(wouldPassOver(shardId, id));
      draft.goTo(shard, to, whyThere(to));
    } else if (era === "after") draft.goBack(shard, scope, asked?.includes(shardId) ?? false);
    else draft.finish(shard);
  }
  draft.bridge(listed);
  return refusals.length > 0 ? refused(refusals) : draft.plan(forgotten(view, listed, asked));
}

/** Where the leases are another stream's: they go, and those of the shards at the moment are made as for a new application. */
function planAnew({ leases, shards, front, positions, lineage }: PlanView): Plan {
  const now = new Map(leases.map((lease) => [lease.shardId, lease]));
  const made = shards
    .filter(({ shardId }) => front.has(shardId))
    .map(({ shardId, parentShardIds, hashKeyRange }): Step => {
      const to = positions.get(shardId) ?? BEGINNING;
      const create = { shardId, checkpoint: to, parentShardIds, hashKeyRange };
      const is = now.get(shardId);
      const why = whyThere(to);
      return { shardId, now: is?.checkpoint, to, why, create, ...(is && { anew: true }) };
    });
  const removed = leases
    .filter(({ shardId }) => !front.has(shardId))
    .map(({ shardId, checkpoint: is }): Step => {
      const why = "is not about a shard of the stream at that moment";
      return { shardId, now: is, to: SHARD_END, why, anew: true };
    });
  const note =
    "The leases are not about the stream as it is now: it was deleted and made again, or rows were edited. All of them are made anew.";
  return {
    steps: inOrder([...made, ...removed], lineage),
    unchanged: [],
    notes: [note],
    refusals: [],
  };
}

/** Exactly the leases asked for, each to its position; refused where others would have to move with them. */
export function planSet(view: PlanView & { readonly asked: readonly string[] }): Plan {
  const { lineage, asked, positions } = view;
  const leases = new Map(view.leases.map((lease) => [lease.shardId, lease]));
  const listed = new Map(view.shards.map((shard) => [shard.shardId, shard]));
  const foreign = contradictions(view.leases, view.shards).map(({ shardId }) => shardId);
  const draft = new Draft(leases, lineage, new Set(foreign));
  const refusals: string[] = [];
  for (const shardId of lineage.topDown(asked)) {
    const [lease, shard, to] = [leases.get(shardId), listed.get(shardId), positions.get(shardId)];
    if (!shard) refusals.push(notListed(shardId));
    else if (!lease) refusals.push(noLease(shardId));
    else if (!to) refusals.push(closedBefore(shardId));
    else {
      const begun = begunAfter(lease, lineage, leases, new Set(asked));
      if (begun.length > 0) refusals.push(childrenAhead(shardId, begun));
      for (const id of passedOver(shardId, to, new Set(asked), view)) {
        refusals.push(wouldPassOver(shardId, id));
      }
      draft.goTo(shard, to, "as asked");
    }
  }
  return refusals.length > 0 ? refused(refusals) : draft.plan([]);
}

function whyThere({ sequenceNumber }: Position): string {
  return sequenceNumber === "TRIM_HORIZON"
    ? "from its oldest record"
    : "after its last record before that moment";
}

function forgotten(
  { leases }: PlanView,
  listed: ReadonlyMap<string, Shard>,
  asked: readonly string[] | undefined,
): readonly string[] {
  const left = asked
    ? []
    : leases.filter((lease) => !listed.has(lease.shardId) && !hasEnded(lease));
  return left.map(
    ({ shardId, checkpoint }) =>
      `${shardId} (${formatPosition(checkpoint)}) is no longer listed by the stream, and is left as it is: a daemon that takes it finds it gone and ends it.`,
  );
}

function refused(refusals: readonly string[]): Plan {
  return { steps: [], unchanged: [], notes: [], refusals };
}

function notListed(shardId: string): string {
  return `${shardId} is no shard that the stream lists: it never was, or its records are past retention.`;
}

function closedBefore(shardId: string): string {
  return `${shardId} was closed before that moment: nothing of it is left to read. reset goes on into the shards that came of it.`;
}

function noLease(shardId: string): string {
  return `${shardId} has no lease: either its parents are not finished yet, or it was finished and cleaned up. reset makes the leases that are missing.`;
}

function childrenAhead(shardId: string, begun: readonly string[]): string {
  return `${begun.join(", ")} came of ${shardId} and ${begun.length === 1 ? "has" : "have"} begun, or ${begun.length === 1 ? "is" : "are"} in a worker's hands: with ${shardId} unfinished again, newer records would have been read before older ones. reset --shard ${shardId} takes them back with it.`;
}

function wouldPassOver(shardId: string, ancestor: string): string {
  return `${shardId} also continues ${ancestor}, which is not finished and not among the shards to move: its records in ${shardId} would be passed over. Name it too (--shard ${ancestor}), or move everything.`;
}
