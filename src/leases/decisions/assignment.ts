// Who takes which lease, in a fleet without a leader. Pure: only what one worker sees decides what
// it takes now.
//
// Every worker scans the table, counts how many leases each worker owns, and computes its fair
// share (the target): all leases divided by all workers, rounded up. It takes available leases
// until it has its share. If none is available and it still lacks some, it steals a few from the
// worker that owns most. When two workers decide the same thing at the same time, they race for the
// lease counter: one wins, the other looks again.
//
// Available:          a lease without owner at once; one with an owner when this worker has seen
//                     its counter unchanged for the failover time. Its owner no longer trusts it by
//                     then (trust.ts).
// Counted:            leases that have not ended. A finished shard causes no more work.
// Resumed:            a worker that restarts under the same id takes its own leases at once, in its
//                     first pass: the process that held them is gone. (If it still runs, its next
//                     renewal fails, and both processes report the duplicate id.)
// Neglected:          an available lease that nobody has taken for a while goes to any worker that
//                     sees it, whatever its share. Some counted worker is not taking its share: it
//                     is shutting down, has reached its limit, or is suspended. Java calls these
//                     leases "very old" after three failover times and includes every lease that it
//                     sees for the first time without owner; so the first worker of a fleet takes
//                     everything, and gives most of it back later. Here a lease must be *seen*
//                     neglected. A lone worker's share is everything anyway.
// Starting together:  workers that see only free leases do not know of each other. Each takes a
//                     few, in an order of its own (preference.ts), and looks again; then they see
//                     how many workers share the leases.
// Stable:             a worker steals only if another one is above the target or if it lacks two or
//                     more. So when all workers are within one lease of each other, no lease moves,
//                     and nothing oscillates.

import type { TakenHow } from "../../model/events/leaseEvent.ts";
import { actualOwner, hasEnded, type Lease } from "../lease.ts";
import type { Observation, ObservedLease } from "./observation.ts";
import { byPreference } from "./preference.ts";
import { type FleetSize, longestRestMs } from "./scanPace.ts";

export interface AssignmentSettings {
  readonly failoverTimeMillis: number;
  readonly maxLeasesForWorker: number;
  readonly maxLeasesToStealAtOneTime: number;
  /** Take neglected leases even above the fair share. */
  readonly enablePriorityLeaseAssignment: boolean;
}

export interface AssignmentView {
  readonly leases: Observation;
  readonly workerId: string;
  /** Monotonic time of the scan. */
  readonly nowMs: number;
  /** This process has taken nothing yet: leases under our id are left from an earlier process. */
  readonly firstPass: boolean;
  /** Not to be taken now: already held, or a consumer of an earlier tenure is still ending. */
  readonly busy: ReadonlySet<string>;
  /** Requested and not granted yet: counted as ours. Also in `busy`. */
  readonly requested: ReadonlySet<string>;
  /**
   * Requested recently. If such a lease carries our id, it was handed over and this worker did not
   * learn of it.
   */
  readonly expected: ReadonlySet<string>;
  /** How many free leases to take before the next look. */
  readonly atOnce: number;
  readonly random: () => number;
}

export interface Take {
  readonly lease: Lease;
  /** `stolen`: from a live worker, which is asked first. */
  readonly how: TakenHow;
  /** The previous owner, where the lease no longer names it. */
  readonly from?: string;
}

export interface Assignment {
  /** In the order in which to take them. A faster worker may win each of them. */
  readonly take: readonly Take[];
  /** How many leases this worker should own. */
  readonly target: number;
  /** How many leases of the fair share `maxLeasesForWorker` excludes; they may have no reader. */
  readonly spillover: number;
  /** Neglected shards that this worker may not take because of `maxLeasesForWorker`. */
  readonly beyondLimit: readonly string[];
  /** Ownerless leases are left for the next look, or for other workers. */
  readonly more: boolean;
}

/** In failover times. As in Java, an expired lease is neglected after three. */
const NEGLECTED_EXPIRED = 3;
/**
 * In waits between scans: an ownerless lease is neglected when every worker has had time to look at
 * it, with some margin.
 */
const NEGLECTED_LOOKS = 1.5;

export function assign(view: AssignmentView, settings: AssignmentSettings): Assignment {
  const work: ObservedLease[] = [];
  const resumed: ObservedLease[] = [];
  const available: ObservedLease[] = [];
  for (const seen of view.leases.values()) {
    if (hasEnded(seen.lease)) continue;
    work.push(seen);
    const mayResume = resumed.length < settings.maxLeasesForWorker && isOurs(seen, view);
    if (mayResume) resumed.push(seen);
    else if (isAvailable(seen, view, settings)) available.push(seen);
  }
  const counts = countByOwner(work, new Set(available), view);
  const mine = counts.get(view.workerId) ?? 0;

  const share = work.length <= counts.size ? 1 : Math.ceil(work.length / counts.size);
  const target = Math.min(share, settings.maxLeasesForWorker);
  const room = settings.maxLeasesForWorker - mine;
  const spillover = share - target;
  const resume = resumed.map(({ lease }) => ({
    lease,
    how: view.expected.has(lease.shardId) ? ("handedOver" as const) : ("resumed" as const),
  }));

  const free = available.filter(({ lease }) => !view.busy.has(lease.shardId));
  const need = target - mine;
  if (free.length > 0) {
    const size = { leases: view.leases.size, workers: counts.size };
    const isLate = new Set(free.filter((seen) => isNeglected(seen, view, settings, size)));
    const isUrgent = settings.enablePriorityLeaseAssignment ? isLate : new Set();
    const wish = Math.max(need, Math.min(isUrgent.size, room), 0);
    const number = Math.min(wish, view.atOnce);
    // Neglected leases first: their records have waited longest.
    const ranks = [true, false].map((urgent) =>
      free.filter((seen) => isUrgent.has(seen) === urgent),
    );
    const chosen = new Set<ObservedLease>();
    for (const rank of ranks) {
      const more = byPreference(rank, view.workerId, counts.keys(), number - chosen.size);
      for (const seen of more) chosen.add(seen);
    }
    const take = [...resume, ...[...chosen].map((seen) => asTake(seen, view))];
    const more = free.some((seen) => !chosen.has(seen) && !isLate.has(seen) && isOwnerless(seen));
    const isFull = room <= chosen.size;
    const beyondLimit = free.filter((seen) => isFull && isLate.has(seen) && !chosen.has(seen));
    const shardIds = beyondLimit.map(({ lease }) => lease.shardId);
    return { take, target, spillover, beyondLimit: shardIds, more };
  }
  const stolen = steal(work, counts, need, target, view, settings);
  return { take: [...resume, ...stolen], target, spillover, beyondLimit: [], more: false };
}

/**
 * @returns leases of the worker that owns most: as many as it has above the target, or one if this
 *   worker lacks two or more.
 */
function steal(
  work: readonly ObservedLease[],
  counts: ReadonlyMap<string, number>,
  need: number,
  target: number,
  view: AssignmentView,
  settings: AssignmentSettings,
): readonly Take[] {
  if (need <= 0) return [];
  const others = shuffled(
    [...counts].filter(([owner]) => owner !== view.workerId),
    view.random,
  );
  const [victim, most] = others.reduce((a, b) => (b[1] > a[1] ? b : a), ["", 0]);
  if (most < target) return [];
  const surplus = Math.min(need, most - target);
  const number = Math.min(
    surplus === 0 && need > 1 ? 1 : surplus,
    settings.maxLeasesToStealAtOneTime,
  );
  const candidates = work
    .filter(
      ({ lease }) =>
        actualOwner(lease) === victim &&
        lease.checkpointOwner === undefined &&
        !view.busy.has(lease.shardId),
    )
    .filter((seen) => !isRequestedByOther(seen, view, settings));
  return shuffled(candidates, view.random)
    .slice(0, number)
    .map(({ lease }) => ({ lease, how: "stolen" as const }));
}

/** Left from an earlier process, or handed over to us without our knowing. */
function isOurs(seen: ObservedLease, view: AssignmentView): boolean {
  return isUnderOurId(seen, view) && (view.firstPass || view.expected.has(seen.lease.shardId));
}

export function isUnderOurId({ lease }: ObservedLease, { workerId, busy }: AssignmentView) {
  return (
    lease.owner === workerId && lease.checkpointOwner === undefined && !busy.has(lease.shardId)
  );
}

/**
 * Another worker has requested it. A request that is not acknowledged within the failover time no
 * longer counts: its maker is dead, or the owner does not understand requests.
 */
function isRequestedByOther(
  { lease, requestedSinceMs }: ObservedLease,
  { nowMs }: AssignmentView,
  { failoverTimeMillis }: AssignmentSettings,
): boolean {
  if (lease.handoverTo === undefined) return false;
  return (
    lease.handoverFrom !== undefined || nowMs - (requestedSinceMs ?? nowMs) < failoverTimeMillis
  );
}

function isAvailable(
  { lease, changedMs }: ObservedLease,
  { nowMs, busy, workerId }: AssignmentView,
  { failoverTimeMillis }: AssignmentSettings,
): boolean {
  const owner = actualOwner(lease);
  if (owner === undefined) return true;
  // This worker renews what it holds, even if the scan shows an old counter.
  if (owner === workerId && busy.has(lease.shardId)) return false;
  return nowMs - changedMs > failoverTimeMillis;
}

function isOwnerless({ ownerlessSinceMs }: ObservedLease): boolean {
  return ownerlessSinceMs !== undefined;
}

function isNeglected(
  { changedMs, ownerlessSinceMs }: ObservedLease,
  { nowMs }: AssignmentView,
  { failoverTimeMillis }: AssignmentSettings,
  size: FleetSize,
): boolean {
  return ownerlessSinceMs === undefined
    ? nowMs - changedMs > NEGLECTED_EXPIRED * failoverTimeMillis
    : nowMs - ownerlessSinceMs > NEGLECTED_LOOKS * longestRestMs(size, failoverTimeMillis);
}

/** Live workers and how many leases each owns. This worker is always included. */
function countByOwner(
  work: readonly ObservedLease[],
  available: ReadonlySet<ObservedLease>,
  { workerId, requested }: AssignmentView,
): ReadonlyMap<string, number> {
  const counts = new Map([[workerId, 0]]);
  for (const seen of work) {
    const { lease } = seen;
    const owner = actualOwner(lease);
    if (owner === undefined) continue;
    const isRequested = requested.has(lease.shardId);
    const isKept = !available.has(seen);
    if (!isRequested && !isKept) continue;
    const given = lease.handoverFrom === owner ? (lease.handoverTo ?? owner) : owner;
    const holder = isRequested ? workerId : given;
    // A worker that hands over a lease is alive, even if it owns nothing else.
    if (isKept && holder !== owner && !counts.has(owner)) counts.set(owner, 0);
    counts.set(holder, (counts.get(holder) ?? 0) + 1);
  }
  return counts;
}

export function asTake({ lease }: ObservedLease, { workerId }: AssignmentView): Take {
  const owner = actualOwner(lease);
  if (owner === undefined) return { lease, how: "unowned" };
  return { lease, how: owner === workerId ? "resumed" : "expired" };
}

/** Fisher–Yates: workers that decide at the same time rarely choose the same lease. */
export function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [result[i], result[j]];
    if (a !== undefined && b !== undefined) [result[i], result[j]] = [b, a];
  }
  return result;
}
