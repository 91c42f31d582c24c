// Shard sync: which leases must be created, given the shards that exist, the rows that exist and where the
// application begins to read. Pure; the rules are those of KCL's HierarchicalShardSyncer, and two more.
//
// An empty table gets one lease for each shard that was open at the initial position (the service filters the
// listing). Later the question is answered from the open shards upwards: a shard is reached when the lease of
// an ancestor ends, if that lease has not ended yet. A shard that nothing leads to needs its own lease, at the
// oldest ancestor still listed (TRIM_HORIZON, AT_TIMESTAMP) or at the open shard (LATEST). A merge can have one
// parent with a lease and one without: the latter gets one too.
//
// The two more: rows are not always written in our order, and not always by us. A shard without a row is
// overdue when a row shows that the application has come as far as this shard: a parent has ended, an ancestor
// has left the stream, or a child waits at its first record. An overdue shard begins at TRIM_HORIZON, wherever the
// application began, and nobody is about to create its lease, so there is no reason to wait for an audit.

import {
  compareSequenceNumbers,
  isSequenceNumber,
  type Position,
  TRIM_HORIZON,
} from "../../model/position.ts";
import {
  canHaveBeenIn,
  type HashKeyRange,
  type InitialPosition,
  type Shard,
  type ShardFilter,
} from "../../model/shard.ts";
import { hasEnded, initialCheckpoint, type Lease, type NewLease } from "../lease.ts";
import { findHole, type HashRangeHole, overlap } from "./hashRangeHole.ts";

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
  return { create: inOrder(shards).map((shard) => newLease(shard, initialCheckpoint(initial))) };
}

/** Shards listed under a parent that is still open: the listing contradicts itself. */
export function unexpectedChildren(shards: readonly Shard[]): readonly string[] {
  const listed = new Map(shards.map((shard) => [shard.shardId, shard]));
  const unexpected = shards.filter((shard) => parentsOf(shard, listed).some(isOpen));
  return unexpected.map((shard) => shard.shardId);
}

/** What a row says about its shard, as far as shard sync needs to know. */
export interface TrackedShard {
  readonly hashKeyRange?: HashKeyRange;
  /** As the row names them. */
  readonly parentShardIds: readonly string[];
  /** `begun`: somebody reads it, or the row cannot be read; `waiting`: it stands at TRIM_HORIZON. */
  readonly state: "waiting" | "begun" | "ended";
}

/** All rows of the table, readable or not, by shard id. */
export type Tracked = ReadonlyMap<string, TrackedShard>;

export function trackedShards(
  leases: readonly Lease[],
  unreadable: readonly { readonly shardId: string }[] = [],
): Tracked {
  return new Map([
    ...unreadable.map(({ shardId }) => [shardId, UNREADABLE] as const),
    ...leases.map((lease) => [lease.shardId, trackedShard(lease)] as const),
  ]);
}

/** Its own trouble, and reported as such. */
const UNREADABLE: TrackedShard = { state: "begun", parentShardIds: [] };

function trackedShard(lease: Lease): TrackedShard {
  const { hashKeyRange, parentShardIds } = lease;
  const state = hasEnded(lease) ? "ended" : isWaiting(lease) ? "waiting" : "begun";
  return { state, parentShardIds, ...(hashKeyRange && { hashKeyRange }) };
}

function isWaiting({ checkpoint }: Lease): boolean {
  return checkpoint.sequenceNumber === "TRIM_HORIZON";
}

export interface MissingLeases {
  /** Oldest shards first. */
  readonly create: readonly NewLease[];
  /** Those of `create` that nobody else is about to create. */
  readonly overdue: readonly NewLease[];
  /** To be asked again, if there are any. */
  readonly unexpectedChildren: readonly string[];
}

/**
 * The leases that a table with leases lacks.
 *
 * @param shards every shard that the stream still lists, open and closed.
 * @param ignoreUnexpectedChildren go on without shards whose parent is still open, instead of making none at all.
 */
export function missingLeases(
  shards: readonly Shard[],
  tracked: Tracked,
  initial: InitialPosition,
  ignoreUnexpectedChildren: boolean,
): MissingLeases {
  const unexpected = unexpectedChildren(shards);
  if (unexpected.length > 0 && !ignoreUnexpectedChildren) {
    return { create: [], overdue: [], unexpectedChildren: unexpected };
  }
  const listed = new Map(shards.map((shard) => [shard.shardId, shard]));
  for (const shardId of unexpected) listed.delete(shardId);

  const walk = new Walk(listed, tracked, initial.type !== "LATEST");
  for (const row of tracked.values()) if (row.state === "waiting") walk.reachParents(row);
  for (const shard of listed.values()) if (!tracked.has(shard.shardId)) walk.reach(shard);
  const lease = (shard: Shard) =>
    walk.overdue.has(shard)
      ? walk.overdueLease(shard)
      : newLease(shard, initialCheckpoint(initial));
  const create = inOrder([...walk.chosen]);
  return {
    create: create.map(lease),
    overdue: create.filter((shard) => walk.overdue.has(shard)).map(lease),
    unexpectedChildren: unexpected,
  };
}

/**
 * Rows that suggest overdue shards, for the price of a look at the rows alone: shards that have ended without rows of their
 * children, and shards that wait at their first record without rows of their parents. A listing tells what is missing.
 */
export function looseEnds(leases: readonly Lease[], rows: ReadonlySet<string>): readonly string[] {
  const children = new Map<string, Lease[]>();
  for (const lease of leases) {
    for (const id of lease.parentShardIds) children.set(id, [...(children.get(id) ?? []), lease]);
  }
  const isMissing = (id: string) => !rows.has(id);
  const isLoose = (lease: Lease) => {
    const { shardId, childShardIds, parentShardIds } = lease;
    if (!hasEnded(lease)) return isWaiting(lease) && parentShardIds.some(isMissing);
    if (childShardIds.length > 0) return childShardIds.some(isMissing);
    return !covers(children.get(shardId) ?? [], lease);
  };
  return leases.filter(isLoose).map(({ shardId }) => shardId);
}

/** Whether these are all the children of the parent; where its row does not say what it held, one is taken for all. */
function covers(children: readonly Lease[], { hashKeyRange }: Lease): boolean {
  const ranges = children.flatMap((child) => child.hashKeyRange ?? []);
  if (!hashKeyRange || ranges.length < children.length) return children.length > 0;
  return !findHole(ranges, hashKeyRange);
}

/** Whether a shard's records will be read: its lease, or that of an ancestor, is there or chosen; or it has ended. */
type Standing = "reached" | "ended" | "unreached";

class Walk {
  readonly chosen = new Set<Shard>();
  /** Of those chosen. */
  readonly overdue = new Set<Shard>();
  readonly #listed: ReadonlyMap<string, Shard>;
  readonly #tracked: Tracked;
  /** Whether shards above which nothing is tracked are where the reading begins (else it begins at the open shard). */
  readonly #startsAtOldest: boolean;
  /** Rows of shards that have left the stream. */
  readonly #gone: readonly TrackedShard[];
  readonly #known = new Map<Shard, Standing>();

  constructor(listed: ReadonlyMap<string, Shard>, tracked: Tracked, startsAtOldest: boolean) {
    this.#listed = listed;
    this.#tracked = tracked;
    this.#startsAtOldest = startsAtOldest;
    const shards = [...listed.values()];
    const isGone = (id: string) => !listed.has(id) && canHaveBeenIn(shards, id);
    this.#gone = [...tracked].filter(([id]) => isGone(id)).map(([, row]) => row);
  }

  /** Chooses what an untracked shard needs: an open one is to be read, a closed one if it is overdue. */
  reach(shard: Shard): void {
    const parents = parentsOf(shard, this.#listed);
    const isAfterEnd = parents.some(({ shardId }) => this.#isEnded(shardId));
    if (!isOpen(shard) && !isAfterEnd) return;
    if (this.#standing(shard) === "unreached") this.chosen.add(shard);
  }

  /** A shard that waits at its first record waits for its parents, whose rows may be gone. */
  reachParents(waiting: TrackedShard): void {
    for (const parent of parentsOf(waiting, this.#listed)) {
      if (this.#standing(parent) === "unreached") this.#choose(parent, true);
    }
  }

  /** Without the parents that nobody will read: a later look would take it for a shard that waits for them. */
  overdueLease(shard: Shard): NewLease {
    const isRead = (parent: Shard) => this.#standing(parent) !== "unreached";
    const parentShardIds = shard.parentShardIds.filter((id) => {
      const parent = this.#listed.get(id);
      return !parent || isRead(parent);
    });
    return { ...newLease(shard, TRIM_HORIZON), parentShardIds };
  }

  /** Neither listed nor in the table. */
  #isLost(shardId: string): boolean {
    return !this.#listed.has(shardId) && !this.#tracked.has(shardId);
  }

  #isEnded(shardId: string): boolean {
    return this.#tracked.get(shardId)?.state === "ended";
  }

  #standing(shard: Shard): Standing {
    const known = this.#known.get(shard);
    if (known !== undefined) return known;
    const standing = this.#find(shard);
    this.#known.set(shard, standing);
    return standing;
  }

  #find(shard: Shard): Standing {
    const row = this.#tracked.get(shard.shardId);
    if (row) return row.state === "ended" ? "ended" : "reached";
    const parents = parentsOf(shard, this.#listed);
    const standings = new Map(parents.map((parent) => [parent, this.#standing(parent)]));
    const unreached = parents.filter((parent) => standings.get(parent) === "unreached");
    const found = new Set(standings.values());
    if (found.has("reached")) {
      // The end of a merged shard creates no lease while the other parent has none, and one that is gone gets none.
      for (const parent of unreached) this.#choose(parent, false);
      if (shard.parentShardIds.some((id) => this.#isLost(id))) this.#choose(shard, true);
      return "reached";
    }
    if (found.has("ended") || this.#comesOfGone(shard)) {
      for (const each of [...unreached, shard]) this.#choose(each, true);
      return "reached";
    }
    if (!this.#startsAtOldest || parents.length === 0) return "unreached";
    for (const parent of parents) this.#choose(parent, false);
    return "reached";
  }

  /** At one time a hash key belongs to one shard: of two that share a key one came of the other. */
  #comesOfGone({ hashKeyRange }: Shard): boolean {
    return this.#gone.some((row) => !row.hashKeyRange || overlap(row.hashKeyRange, hashKeyRange));
  }

  #choose(shard: Shard, isOverdue: boolean): void {
    this.chosen.add(shard);
    if (isOverdue) this.overdue.add(shard);
    this.#known.set(shard, "reached");
  }
}

/** Parents past retention are no longer listed, and no longer matter. */
function parentsOf(
  { parentShardIds }: Pick<Shard, "parentShardIds">,
  listed: ReadonlyMap<string, Shard>,
): readonly Shard[] {
  return parentShardIds.flatMap((id) => listed.get(id) ?? []);
}

function isOpen(shard: Shard): boolean {
  return shard.endingSequenceNumber === undefined;
}

function newLease(shard: Shard, checkpoint: Position): NewLease {
  return {
    shardId: shard.shardId,
    checkpoint,
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
