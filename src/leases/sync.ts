// Shard sync: which leases must be made, given the shards that exist, the leases that exist and where the
// application begins to read. Pure; the rules are those of KCL's HierarchicalShardSyncer.
//
// An empty table gets one lease for each shard that was open at the initial position (the listing is filtered
// so by the service). Later the question is asked only when a hole was found. Then it is answered from the
// open shards upwards: a shard whose ancestors have leases will be reached by itself, when those end; one
// without needs a lease of its own, at the oldest ancestor still listed (TRIM_HORIZON, AT_TIMESTAMP) or at the
// open shard (LATEST). A merge can have one parent with a lease and one without: the latter gets one too.

import { compareSequenceNumbers, isSequenceNumber } from "../model/position.ts";
import type { InitialPosition, Shard, ShardFilter } from "../model/shard.ts";
import { findHole, type HashRangeHole } from "./hashRange.ts";
import { initialCheckpoint, type NewLease } from "./lease.ts";

/** The listing that an empty table is filled from. */
export function filterFor(initial: InitialPosition): ShardFilter {
  switch (initial.type) {
    case "TRIM_HORIZON":
      return { type: "AT_TRIM_HORIZON" };
    case "LATEST":
      return { type: "AT_LATEST" };
    case "AT_TIMESTAMP":
      return { type: "AT_TIMESTAMP", timestamp: initial.timestamp };
  }
}

/** The leases of a new application. `hole`: the listing leaves hash keys out; to be listed again. */
export function firstLeases(
  shards: readonly Shard[],
  initial: InitialPosition,
): { readonly create: readonly NewLease[] } | { readonly hole: HashRangeHole } {
  const hole = findHole(shards.map((shard) => shard.hashKeyRange));
  if (hole) return { hole };
  return { create: inOrder(shards).map((shard) => newLease(shard, initial)) };
}

/** Shards listed under a parent that is still open: the listing contradicts itself. */
export function unexpectedChildren(shards: readonly Shard[]): readonly string[] {
  const listed = new Map(shards.map((shard) => [shard.shardId, shard]));
  const unexpected = shards.filter((shard) => parentsOf(shard, listed).some(isOpen));
  return unexpected.map((shard) => shard.shardId);
}

export interface MissingLeases {
  /** Oldest shards first. */
  readonly create: readonly NewLease[];
  /** To be asked again, if there are any. */
  readonly unexpectedChildren: readonly string[];
}

/**
 * The leases that a table with leases lacks.
 *
 * @param shards every shard that the stream still lists, open and closed.
 * @param tracked the shard ids that have a lease.
 * @param ignoreUnexpectedChildren go on without shards whose parent is still open, instead of making none at all.
 */
export function missingLeases(
  shards: readonly Shard[],
  tracked: ReadonlySet<string>,
  initial: InitialPosition,
  ignoreUnexpectedChildren: boolean,
): MissingLeases {
  const unexpected = unexpectedChildren(shards);
  if (unexpected.length > 0 && !ignoreUnexpectedChildren) {
    return { create: [], unexpectedChildren: unexpected };
  }
  const listed = new Map(shards.map((shard) => [shard.shardId, shard]));
  for (const shardId of unexpected) listed.delete(shardId);

  const walk = new Walk(listed, tracked, initial);
  for (const shard of listed.values()) {
    if (isOpen(shard) && !tracked.has(shard.shardId) && !walk.descends(shard)) walk.add(shard);
  }
  return {
    create: inOrder([...walk.chosen]).map((shard) => newLease(shard, initial)),
    unexpectedChildren: unexpected,
  };
}

class Walk {
  readonly chosen = new Set<Shard>();
  readonly #listed: ReadonlyMap<string, Shard>;
  readonly #tracked: ReadonlySet<string>;
  /** Whether shards above which nothing is tracked are where the reading begins (else it begins at the open shard). */
  readonly #startsAtOldest: boolean;
  readonly #known = new Map<Shard, boolean>();

  constructor(
    listed: ReadonlyMap<string, Shard>,
    tracked: ReadonlySet<string>,
    initial: InitialPosition,
  ) {
    this.#listed = listed;
    this.#tracked = tracked;
    this.#startsAtOldest = initial.type !== "LATEST";
  }

  add(shard: Shard): void {
    this.chosen.add(shard);
  }

  /** True when the shard will be reached from its ancestors; makes sure that all of them that matter have leases. */
  descends(shard: Shard): boolean {
    const known = this.#known.get(shard);
    if (known !== undefined) return known;
    if (this.#tracked.has(shard.shardId)) return this.#remember(shard, true);

    const parents = parentsOf(shard, this.#listed);
    const descendants = new Set(parents.filter((parent) => this.descends(parent)));
    if (descendants.size === 0 && !(this.#startsAtOldest && parents.length > 0)) {
      return this.#remember(shard, false);
    }
    for (const parent of parents) {
      if (!descendants.has(parent)) this.add(parent);
    }
    return this.#remember(shard, true);
  }

  #remember(shard: Shard, descends: boolean): boolean {
    this.#known.set(shard, descends);
    return descends;
  }
}

/** Parents past retention are no longer listed, and no longer matter. */
function parentsOf(shard: Shard, listed: ReadonlyMap<string, Shard>): readonly Shard[] {
  return shard.parentShardIds.flatMap((id) => listed.get(id) ?? []);
}

function isOpen(shard: Shard): boolean {
  return shard.endingSequenceNumber === undefined;
}

function newLease(shard: Shard, initial: InitialPosition): NewLease {
  return {
    shardId: shard.shardId,
    checkpoint: initialCheckpoint(initial),
    parentShardIds: shard.parentShardIds,
    hashKeyRange: shard.hashKeyRange,
  };
}

/** A worker that dies in between leaves no child without its parents. */
function inOrder(shards: readonly Shard[]): readonly Shard[] {
  return [...shards].sort((a, b) => {
    const [left, right] = [a.startingSequenceNumber, b.startingSequenceNumber];
    if (!isSequenceNumber(left) || !isSequenceNumber(right)) return 0;
    return compareSequenceNumbers(left, right) || (a.shardId < b.shardId ? -1 : 1);
  });
}
