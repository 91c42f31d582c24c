// Shard sync: which leases must be created, given the shards that exist, the rows that exist, and
// the initial position of the application. Pure. The rules are those of KCL's
// HierarchicalShardSyncer, and two more.
//
// An empty table gets one lease for each shard that was open at the initial position (Kinesis
// filters the listing). Later, the decision starts from the open shards and follows their parents.
// A shard is reached, which means that its records will be read, when an ancestor has a lease that
// has not ended: the end of that lease leads to it. A shard that is not reached needs its own
// lease, at its oldest listed ancestor (TRIM_HORIZON, AT_TIMESTAMP) or at the open shard (LATEST).
// If only one parent of a merged shard has a lease, the other parent gets one too.
//
// The two additional rules: rows are not always written in our order, and not always by us. A shard
// without a row is overdue when some row shows that the application has progressed to this shard: a
// parent has ended, an ancestor has left the stream, or a child waits at its first record. An
// overdue shard starts at TRIM_HORIZON, whatever initial position the application has. No other
// worker is about to create its lease, so there is no reason to wait for an audit.

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

/** The filter of the listing from which an empty table is filled. */
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

/** The leases of a new application; `hole` when the listing is incomplete and must be repeated. */
export function firstLeases(
  shards: readonly Shard[],
  initial: InitialPosition,
): { readonly create: readonly NewLease[] } | { readonly hole: HashRangeHole } {
  const hole = findHole(shards.map((shard) => shard.hashKeyRange));
  if (hole) return { hole };
  return { create: inOrder(shards).map((shard) => newLease(shard, initialCheckpoint(initial))) };
}

/** Shards listed under a parent that is still open, which is a contradiction in the listing. */
export function unexpectedChildren(shards: readonly Shard[]): readonly string[] {
  const listed = new Map(shards.map((shard) => [shard.shardId, shard]));
  const unexpected = shards.filter((shard) => parentsOf(shard, listed).some(isOpen));
  return unexpected.map((shard) => shard.shardId);
}

/** What shard sync needs to know from a row. */
export interface TrackedShard {
  readonly hashKeyRange?: HashKeyRange;
  /** As stored in the row. */
  readonly parentShardIds: readonly string[];
  /** `waiting`: the checkpoint is TRIM_HORIZON; `begun`: it is another one, or unreadable. */
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

/** An unreadable row is reported elsewhere; shard sync only knows that it exists. */
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
  /** The part of `create` that no other worker is about to create. */
  readonly overdue: readonly NewLease[];
  /** If there are any, the stream must be listed again. */
  readonly unexpectedChildren: readonly string[];
}

/**
 * The leases missing from a table that is not empty.
 *
 * @param shards all shards that the stream lists, open and closed.
 * @param ignoreUnexpectedChildren skip shards whose parent is still open, instead of creating no
 *   leases at all.
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
 * Leases that may point to overdue shards, found from the rows alone: ended shards whose children
 * have no rows, and shards that wait at their first record whose parents have no rows. Only a
 * listing shows whether a lease really is missing.
 */
export function leasesMissingRelatives(
  leases: readonly Lease[],
  rows: ReadonlySet<string>,
): readonly string[] {
  const children = new Map<string, Lease[]>();
  for (const lease of leases) {
    for (const id of lease.parentShardIds) children.set(id, [...(children.get(id) ?? []), lease]);
  }
  const isMissing = (id: string) => !rows.has(id);
  const isIncomplete = (lease: Lease) => {
    const { shardId, childShardIds, parentShardIds } = lease;
    if (!hasEnded(lease)) return isWaiting(lease) && parentShardIds.some(isMissing);
    if (childShardIds.length > 0) return childShardIds.some(isMissing);
    return !covers(children.get(shardId) ?? [], lease);
  };
  return leases.filter(isIncomplete).map(({ shardId }) => shardId);
}

/**
 * Whether these are all children of the parent. Without the parent's range, one child is enough.
 */
function covers(children: readonly Lease[], { hashKeyRange }: Lease): boolean {
  const ranges = children.flatMap((child) => child.hashKeyRange ?? []);
  if (!hashKeyRange || ranges.length < children.length) return children.length > 0;
  return !findHole(ranges, hashKeyRange);
}

/**
 * Whether a shard's records will be read: `reached` when its lease, or that of an ancestor, exists
 * or is chosen; `ended` when they were read.
 */
type Coverage = "reached" | "ended" | "unreached";

class Walk {
  readonly chosen = new Set<Shard>();
  /** A subset of `chosen`. */
  readonly overdue = new Set<Shard>();
  readonly #listed: ReadonlyMap<string, Shard>;
  readonly #tracked: Tracked;
  /** Whether reading starts at the oldest untracked ancestor; otherwise at the open shard. */
  readonly #startsAtOldest: boolean;
  /** The rows of shards that have left the stream. */
  readonly #gone: readonly TrackedShard[];
  readonly #known = new Map<Shard, Coverage>();

  constructor(listed: ReadonlyMap<string, Shard>, tracked: Tracked, startsAtOldest: boolean) {
    this.#listed = listed;
    this.#tracked = tracked;
    this.#startsAtOldest = startsAtOldest;
    const shards = [...listed.values()];
    const isGone = (id: string) => !listed.has(id) && canHaveBeenIn(shards, id);
    this.#gone = [...tracked].filter(([id]) => isGone(id)).map(([, row]) => row);
  }

  /**
   * Chooses the leases for an untracked shard: an open one must be read, a closed one if overdue.
   */
  reach(shard: Shard): void {
    const parents = parentsOf(shard, this.#listed);
    const isAfterEnd = parents.some(({ shardId }) => this.#isEnded(shardId));
    if (!isOpen(shard) && !isAfterEnd) return;
    if (this.#coverage(shard) === "unreached") this.chosen.add(shard);
  }

  /** A shard at its first record waits for its parents, whose rows may have been deleted. */
  reachParents(waiting: TrackedShard): void {
    for (const parent of parentsOf(waiting, this.#listed)) {
      if (this.#coverage(parent) === "unreached") this.#choose(parent, true);
    }
  }

  /**
   * Omits the parents that nobody will read: a later sync would assume that the shard waits for
   * them.
   */
  overdueLease(shard: Shard): NewLease {
    const isRead = (parent: Shard) => this.#coverage(parent) !== "unreached";
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

  #coverage(shard: Shard): Coverage {
    const known = this.#known.get(shard);
    if (known !== undefined) return known;
    const coverage = this.#find(shard);
    this.#known.set(shard, coverage);
    return coverage;
  }

  #find(shard: Shard): Coverage {
    const row = this.#tracked.get(shard.shardId);
    if (row) return row.state === "ended" ? "ended" : "reached";
    const parents = parentsOf(shard, this.#listed);
    const coverages = new Map(parents.map((parent) => [parent, this.#coverage(parent)]));
    const unreached = parents.filter((parent) => coverages.get(parent) === "unreached");
    const found = new Set(coverages.values());
    if (found.has("reached")) {
      // The end of one parent of a merge creates no lease for the child while the other parent has
      // none, and a parent that has left the stream gets none.
      for (const parent of unreached) this.#choose(parent, false);
      if (shard.parentShardIds.some((id) => this.#isLost(id))) this.#choose(shard, true);
      return "reached";
    }
    if (found.has("ended") || this.#descendsFromGone(shard)) {
      for (const each of [...unreached, shard]) this.#choose(each, true);
      return "reached";
    }
    if (!this.#startsAtOldest || parents.length === 0) return "unreached";
    for (const parent of parents) this.#choose(parent, false);
    return "reached";
  }

  /**
   * Whether an ancestor of the shard has left the stream. A hash key belongs to one shard at a
   * time. So if two shards share a hash key, one of them is an ancestor of the other.
   */
  #descendsFromGone({ hashKeyRange }: Shard): boolean {
    return this.#gone.some((row) => !row.hashKeyRange || overlap(row.hashKeyRange, hashKeyRange));
  }

  #choose(shard: Shard, isOverdue: boolean): void {
    this.chosen.add(shard);
    if (isOverdue) this.overdue.add(shard);
    this.#known.set(shard, "reached");
  }
}

/** Only listed parents: those past retention no longer matter. */
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

/** Parents first, so that a worker that dies in between leaves no child without its parents. */
function inOrder(shards: readonly Shard[]): readonly Shard[] {
  return [...shards].sort((a, b) => {
    const [left, right] = [a.startingSequenceNumber, b.startingSequenceNumber];
    if (!isSequenceNumber(left) || !isSequenceNumber(right)) return 0;
    return compareSequenceNumbers(left, right) || (a.shardId < b.shardId ? -1 : 1);
  });
}
