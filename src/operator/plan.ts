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

import { hasEnded, type Lease, type NewLease } from "../leases/lease.ts";
import type { StoredRow } from "../leases/rows.ts";
import { comparePositions, formatPosition, type Position, SHARD_END } from "../model/position.ts";
import type { Shard } from "../model/shard.ts";
import type { Lineage } from "./lineage.ts";

export interface Step {
  readonly shardId: string;
  /** As it is; `undefined` = there is no lease. */
  readonly now: Position | undefined;
  readonly to: Position;
  readonly why: string;
  /** The lease to make if there is none. */
  readonly create?: NewLease;
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

export const BEGINNING: Position = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 };

/** Back or forth to a moment, through splits and merges. */
export function planReset(view: PlanView): Plan {
  const { lineage, front, asked } = view;
  const leases = new Map(view.leases.map((lease) => [lease.shardId, lease]));
  const listed = new Map(view.shards.map((shard) => [shard.shardId, shard]));
  const scope = asked ? new Set([...asked, ...lineage.descendants(asked)]) : new Set(listed.keys());
  const missing = (asked ?? []).filter((id) => !listed.has(id)).map(notListed);
  if (missing.length > 0) return refused(missing);

  const draft = new Draft(leases, lineage);
  const refusals: string[] = [];
  for (const shardId of lineage.topDown(scope)) {
    const shard = listed.get(shardId);
    if (!shard) continue;
    const era = lineage.era(shardId, front);
    if (era === "at") {
      const to = view.positions.get(shardId) ?? BEGINNING;
      refusals.push(...passedOver(shardId, to, scope, view));
      draft.goTo(shard, to, whyThere(to));
    } else if (era === "after") draft.goBack(shard, scope, asked?.includes(shardId) ?? false);
    else draft.finish(shard);
  }
  draft.bridge(listed);
  return refusals.length > 0 ? refused(refusals) : draft.plan(forgotten(view, listed, asked));
}

/** Exactly the leases asked for, each to its position; refused where others would have to move with them. */
export function planSet(view: PlanView & { readonly asked: readonly string[] }): Plan {
  const { lineage, asked, positions } = view;
  const leases = new Map(view.leases.map((lease) => [lease.shardId, lease]));
  const listed = new Map(view.shards.map((shard) => [shard.shardId, shard]));
  const draft = new Draft(leases, lineage);
  const refusals: string[] = [];
  for (const shardId of lineage.topDown(asked)) {
    const [lease, shard, to] = [leases.get(shardId), listed.get(shardId), positions.get(shardId)];
    if (!shard) refusals.push(notListed(shardId));
    else if (!lease) refusals.push(noLease(shardId));
    else if (!to)
      refusals.push(
        `${shardId} was closed before that moment: nothing of it is left to read. reset goes on into the shards that came of it.`,
      );
    else {
      const begun = begunAfter(lease, lineage, leases, new Set(asked));
      if (begun.length > 0) refusals.push(childrenAhead(shardId, begun));
      refusals.push(...passedOver(shardId, to, new Set(asked), view));
      draft.goTo(shard, to, "as asked");
    }
  }
  return refusals.length > 0 ? refused(refusals) : draft.plan([]);
}

/** Leases that have begun although a shard that they come of is unfinished: rule 1 does not hold. */
export function begunTooEarly(leases: readonly Lease[], lineage: Lineage): readonly string[] {
  const unfinished = leases.filter((lease) => !hasEnded(lease)).map(({ shardId }) => shardId);
  const waiting = lineage.descendants(unfinished);
  return leases
    .filter((lease) => waiting.has(lease.shardId) && hasNumberOrEnd(lease))
    .map(({ shardId }) => shardId)
    .sort();
}

class Draft {
  readonly #leases: ReadonlyMap<string, Lease>;
  readonly #lineage: Lineage;
  readonly #steps: Step[] = [];
  readonly #unchanged: string[] = [];
  readonly #notes: string[] = [];

  constructor(leases: ReadonlyMap<string, Lease>, lineage: Lineage) {
    this.#leases = leases;
    this.#lineage = lineage;
  }

  goTo(shard: Shard, to: Position, why: string): void {
    const { shardId } = shard;
    const lease = this.#leases.get(shardId);
    if (lease) {
      this.#move(lease, shard, to, why);
      return;
    }
    const has = (ids: Iterable<string>) => [...ids].some((id) => this.#leases.has(id));
    const wasFinished = has(this.#lineage.descendants([shardId]));
    const isToCome = has(this.#lineage.ancestors([shardId]));
    const undo = wasFinished ? "SHARD_END" : isToCome ? "TRIM_HORIZON" : undefined;
    const create = leaseFor(shard, to);
    this.#steps.push({ shardId, now: undefined, to, why, create, ...(undo && { undo }) });
  }

  goBack(shard: Shard, scope: ReadonlySet<string>, isAsked: boolean): void {
    const { shardId, parentShardIds } = shard;
    const lease = this.#leases.get(shardId);
    if (!lease) {
      if (isAsked) this.#goBackWithoutLease(shard, scope);
      return;
    }
    this.#move(
      lease,
      shard,
      BEGINNING,
      `from its beginning, after ${parentShardIds.join(" and ")}`,
    );
    const others = parentShardIds.filter((id) => !scope.has(id));
    if (others.length > 0) {
      this.#notes.push(
        `${shardId} also holds the keys of ${others.join(", ")}: their records in it are read again too.`,
      );
    }
  }

  /** Where the lease of a finished shard was cleaned up, what came of the shard would not wait for what it came of. */
  bridge(listed: ReadonlyMap<string, Shard>): void {
    for (const shardId of this.#lineage.gaps(stateAfter([...this.#leases.values()], this.#steps))) {
      const shard = listed.get(shardId);
      if (shard) this.goTo(shard, BEGINNING, "from its beginning");
    }
  }

  /** The end of its parents makes the lease, if that is still to come. */
  #goBackWithoutLease(shard: Shard, scope: ReadonlySet<string>): void {
    const { shardId } = shard;
    const ancestors = [...this.#lineage.ancestors([shardId])];
    if (ancestors.some((id) => this.#isUnfinished(id) || scope.has(id))) {
      this.#notes.push(
        `${shardId} has no lease yet: it begins at its beginning when its parents are finished.`,
      );
    } else this.goTo(shard, BEGINNING, "from its beginning");
  }

  #isUnfinished(shardId: string): boolean {
    const lease = this.#leases.get(shardId);
    return lease !== undefined && !hasEnded(lease);
  }

  finish(shard: Shard): void {
    const lease = this.#leases.get(shard.shardId);
    if (lease) this.#move(lease, shard, SHARD_END, "was closed before that moment");
  }

  plan(notes: readonly string[]): Plan {
    return {
      steps: inOrder(this.#steps, this.#lineage),
      unchanged: this.#unchanged,
      notes: [...this.#notes, ...notes],
      refusals: [],
    };
  }

  #move(lease: Lease, shard: Shard, to: Position, why: string): void {
    const { shardId, checkpoint } = lease;
    const isThere = comparePositions(checkpoint, to) === 0;
    if (isThere && !this.#mayBeAhead(lease)) this.#unchanged.push(shardId);
    else this.#steps.push({ shardId, now: checkpoint, to, why, create: leaseFor(shard, to) });
  }

  /** In somebody's hands, and after a shard that a step makes unfinished again. */
  #mayBeAhead({ shardId, owner }: Lease): boolean {
    if (owner === undefined) return false;
    const ancestors = this.#lineage.ancestors([shardId]);
    return this.#steps.some(
      (step) =>
        ancestors.has(step.shardId) &&
        step.to.sequenceNumber !== "SHARD_END" &&
        (step.now === undefined || step.now.sequenceNumber === "SHARD_END"),
    );
  }
}

/** Rule 4. */
export function inOrder(steps: readonly Step[], lineage: Lineage): readonly Step[] {
  const sorted = lineage.topDown(steps.map(({ shardId }) => shardId));
  const order = new Map(sorted.map((id, index) => [id, index]));
  const rank = ({ shardId, to }: Step) =>
    (to.sequenceNumber === "SHARD_END" ? order.size : 0) + (order.get(shardId) ?? 0);
  return steps.toSorted((a, b) => rank(a) - rank(b));
}

/** The leases as they are when the steps are done. */
export function stateAfter(
  leases: readonly Pick<Lease, "shardId" | "checkpoint">[],
  steps: readonly Step[],
): readonly Pick<Lease, "shardId" | "checkpoint">[] {
  const moved = new Set(steps.map(({ shardId }) => shardId));
  return [
    ...leases.filter(({ shardId }) => !moved.has(shardId)),
    ...steps.map(({ shardId, to }) => ({ shardId, checkpoint: to })),
  ];
}

function leaseFor(
  { shardId, parentShardIds, hashKeyRange }: Shard,
  checkpoint: Position,
): NewLease {
  return { shardId, checkpoint, parentShardIds, hashKeyRange };
}

function whyThere({ sequenceNumber }: Position): string {
  return sequenceNumber === "TRIM_HORIZON"
    ? "from its oldest record"
    : "after its last record before that moment";
}

/** Rule 3. An ancestor that the stream no longer lists has nothing left to be read. */
function passedOver(
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
    .map((ancestor) => wouldPassOver(shardId, ancestor.shardId));
}

/** Descendants that would be ahead of the shard, were it unfinished. */
function begunAfter(
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
    // Beside an unfinished parent a word is a place to begin; beside a finished one somebody may be reading there.
    return hasEnded(lease)
      ? descendant.checkpoint.sequenceNumber !== "TRIM_HORIZON" || descendant.owner !== undefined
      : hasNumberOrEnd(descendant);
  });
}

function hasNumberOrEnd({ checkpoint: { sequenceNumber } }: Lease): boolean {
  return sequenceNumber === "SHARD_END" || /^\d/.test(sequenceNumber);
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

function noLease(shardId: string): string {
  return `${shardId} has no lease: either its parents are not finished yet, or it was finished and cleaned up. reset makes the leases that are missing.`;
}

function childrenAhead(shardId: string, begun: readonly string[]): string {
  return `${begun.join(", ")} came of ${shardId} and ${begun.length === 1 ? "has" : "have"} begun, or ${begun.length === 1 ? "is" : "are"} in a worker's hands: with ${shardId} unfinished again, newer records would have been read before older ones. reset --shard ${shardId} takes them back with it.`;
}

function wouldPassOver(shardId: string, ancestor: string): string {
  return `${shardId} also continues ${ancestor}, which is not finished and not among the shards to move: its records in ${shardId} would be passed over. Name it too (--shard ${ancestor}), or move everything.`;
}
