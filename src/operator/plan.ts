// Decides which checkpoints to write, and in which order, so that an application continues at
// another point of the stream. Pure.
//
// Leases depend on each other. The consumer of a shard starts only when each parent's lease is
// missing or at SHARD_END, and a worker creates the leases of the children when a shard ends. Four
// rules make sure that the application skips no record and reads the records of each key in order:
//
//   1. The descendants of an unfinished shard have not begun: their leases are at TRIM_HORIZON, or
//      do not exist yet. So a plan that goes back into a shard that was split or merged also moves
//      the descendants to their beginnings. It writes even a descendant's lease that is already at
//      its beginning if a worker holds it, because that worker may be reading the shard. A plan
//      keeps these leases instead of deleting them: a lease that waits for its parents also fences
//      off a worker that still believes that it holds the shard.
//   2. The shards that were closed before the requested point are finished. Their leases become
//      SHARD_END; otherwise their child shards would wait for them.
//   3. A plan skips nothing that the user did not ask to skip. If only some shards move, a shard
//      with an unfinished ancestor outside of them moves to its beginning, or the plan is refused.
//   4. Writes go from parents to children, and SHARD_END is written last. If the writing stops
//      half-way, no shard begins before its parents are where they should be.

import { contradictions } from "../leases/decisions/contradictions.ts";
import { hasEnded } from "../leases/lease.ts";
import { formatPosition, type Position, SHARD_END } from "../model/position.ts";
import type { Shard } from "../model/shard.ts";
import { Draft, inOrder } from "./draft.ts";
import { BEGINNING, begunAfter, passedOver } from "./planRules.ts";
import type { Plan, PlanView, Step } from "./planTypes.ts";

/** Moves the shards back or forward to a moment, through splits and merges. */
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

/**
 * The plan for leases of another stream, or of an earlier stream of the same name: it deletes them,
 * and creates the leases of the shards that were open at the moment, as for a new application.
 */
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
      const why = "does not belong to a shard that was open at that moment";
      return { shardId, now: is, to: SHARD_END, why, anew: true };
    });
  const note =
    "Leases contradict the stream: it was deleted and created again, or somebody edited rows. All leases are created anew.";
  return {
    steps: inOrder([...made, ...removed], lineage),
    unchanged: [],
    notes: [note],
    refusals: [],
  };
}

/**
 * Moves exactly the named shards, each to its position. Refuses if other shards would have to move
 * with them.
 */
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
      draft.goTo(shard, to, "as requested");
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
      `${shardId} (${formatPosition(checkpoint)}) stays unchanged, because the stream no longer lists this shard. A daemon that takes the lease finds that the shard is gone, and ends it.`,
  );
}

function refused(refusals: readonly string[]): Plan {
  return { steps: [], unchanged: [], notes: [], refusals };
}

function notListed(shardId: string): string {
  return `The stream does not list ${shardId}: either there is no such shard, or its retention period is over.`;
}

function closedBefore(shardId: string): string {
  return `${shardId} was closed before that moment, so it holds no record to read from then on. Use reset instead of set: it also moves the child shards.`;
}

function noLease(shardId: string): string {
  return `${shardId} has no lease: either its parents are not finished yet, or it was finished and its lease was cleaned up. Use reset instead of set: it creates missing leases.`;
}

function childrenAhead(shardId: string, begun: readonly string[]): string {
  const [descend, have, are] =
    begun.length === 1 ? ["descends", "has", "is"] : ["descend", "have", "are"];
  return `${begun.join(", ")} ${descend} from ${shardId}, and ${have} already begun or ${are} held by a worker. If ${shardId} became unfinished again, newer records would have been read before older ones. Use reset --shard ${shardId}, which moves the descendants back, too.`;
}

function wouldPassOver(shardId: string, ancestor: string): string {
  return `${shardId} is also a descendant of ${ancestor}, which is unfinished and not among the shards to move. The records of its keys in ${shardId} would be skipped. Add --shard ${ancestor}, or move all shards.`;
}
