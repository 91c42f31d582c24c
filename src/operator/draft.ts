// Collects the steps of a plan, and puts them in order at the end.

import { hasEnded, type Lease, type NewLease } from "../leases/lease.ts";
import { comparePositions, type Position, SHARD_END } from "../model/position.ts";
import type { Shard } from "../model/shard.ts";
import type { Lineage } from "./lineage.ts";
import { BEGINNING } from "./planRules.ts";
import type { Plan, Step } from "./planTypes.ts";

export class Draft {
  readonly #leases: ReadonlyMap<string, Lease>;
  readonly #lineage: Lineage;
  readonly #foreign: ReadonlySet<string>;
  readonly #steps: Step[] = [];
  readonly #unchanged: string[] = [];
  readonly #notes: string[] = [];

  /**
   * @param foreign shards whose lease contradicts the stream's listing: it belongs to another
   *   stream.
   */
  constructor(
    leases: ReadonlyMap<string, Lease>,
    lineage: Lineage,
    foreign: ReadonlySet<string> = new Set(),
  ) {
    this.#leases = leases;
    this.#lineage = lineage;
    this.#foreign = foreign;
  }

  /** Moves the shard to a position, and creates its lease if there is none. */
  goTo(shard: Shard, to: Position, why: string): void {
    const { shardId } = shard;
    const lease = this.#leases.get(shardId);
    if (lease) {
      this.#move(lease, shard, to, why);
      return;
    }
    const has = (ids: Iterable<string>) => [...ids].some((id) => this.#leases.has(id));
    const wasFinished = has(this.#lineage.descendants([shardId]));
    const hasNotBegun = has(this.#lineage.ancestors([shardId]));
    const undo = wasFinished ? "SHARD_END" : hasNotBegun ? "TRIM_HORIZON" : undefined;
    const create = leaseFor(shard, to);
    this.#steps.push({ shardId, now: undefined, to, why, create, ...(undo && { undo }) });
  }

  /** Moves a shard that began after the moment to its beginning. */
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
      `read from its beginning, after ${parentShardIds.join(" and ")}`,
    );
    const others = parentShardIds.filter((id) => !scope.has(id));
    if (others.length > 0) {
      this.#notes.push(
        `${shardId} also holds keys of ${others.join(", ")}. Their records in ${shardId} are read again, too.`,
      );
    }
  }

  /**
   * Creates the missing leases of shards between an unfinished shard and a descendant with a lease.
   * Without them, the descendant would not wait for the unfinished shard.
   */
  bridge(listed: ReadonlyMap<string, Shard>): void {
    for (const shardId of this.#lineage.gaps(stateAfter([...this.#leases.values()], this.#steps))) {
      const shard = listed.get(shardId);
      if (shard) this.goTo(shard, BEGINNING, "read from its beginning");
    }
  }

  /** A worker creates the lease when the parents end, if that is still to happen. */
  #goBackWithoutLease(shard: Shard, scope: ReadonlySet<string>): void {
    const { shardId } = shard;
    const ancestors = [...this.#lineage.ancestors([shardId])];
    if (ancestors.some((id) => this.#isUnfinished(id) || scope.has(id))) {
      this.#notes.push(
        `${shardId} has no lease yet. A worker creates it at the shard's beginning when the parents are finished.`,
      );
    } else this.goTo(shard, BEGINNING, "read from its beginning");
  }

  #isUnfinished(shardId: string): boolean {
    const lease = this.#leases.get(shardId);
    return lease !== undefined && !hasEnded(lease);
  }

  /** Marks a shard as finished that was closed before the moment. */
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
    const create = leaseFor(shard, to);
    if (this.#foreign.has(shardId)) {
      this.#steps.push({ shardId, now: checkpoint, to, why, create, anew: true });
    } else if (isThere && !this.#mayBeAhead(lease)) this.#unchanged.push(shardId);
    else this.#steps.push({ shardId, now: checkpoint, to, why, create });
  }

  /**
   * A worker holds the lease, and a step makes an ancestor unfinished again: the worker may already
   * have read records of this shard.
   */
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

/** Puts the steps in the order of rule 4. */
export function inOrder(steps: readonly Step[], lineage: Lineage): readonly Step[] {
  const sorted = lineage.topDown(steps.map(({ shardId }) => shardId));
  const order = new Map(sorted.map((id, index) => [id, index]));
  const rank = ({ shardId, to }: Step) =>
    (to.sequenceNumber === "SHARD_END" ? order.size : 0) + (order.get(shardId) ?? 0);
  return steps.toSorted((a, b) => rank(a) - rank(b));
}

/** The leases as they are after all steps. */
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
