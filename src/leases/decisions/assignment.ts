// Who takes which lease. Pure: what one worker sees, and nothing else, decides what it takes now.
//
// There is no leader. Every worker scans the table, counts who owns how much, and works out its fair share
// (the target): all leases divided by all workers, rounded up. It takes leases that nobody keeps alive until it has
// its share; if there are none and it still lacks some, it steals a few from the worker that owns most. Two workers
// that decide the same thing at the same time race for the lease counter; one wins, the other looks again.
//
// What is available:  a lease without owner at once; one with an owner when this worker has seen its counter
//                     unchanged for the failover time. Nobody else may trust it by then (see trust.ts).
// What counts:        leases that have not ended. A finished shard is no work, so it belongs in nobody's share.
// Resuming:           a worker that comes back under its old name takes its own leases at once, in its first pass: the
//                     process that had them is gone (if it is not, its next renewal fails and tells both).
// Neglected leases:   an available lease that nobody took for a while goes to whoever sees it, share or not. Somebody
//                     in the count is not taking his part: he is shutting down, has reached his limit, or sleeps.
//                     Java calls these "very old" after three failover times, and includes every lease that
//                     it sees for the first time without owner; so the first worker of a fleet takes everything,
//                     and hands most of it back. Here a lease must be *seen* neglected. A lone worker's share is
//                     everything anyhow.
// Starting together:  workers that see nothing but free leases do not know of each other. Each takes a few, in an order of
//                     its own (preference.ts), and looks again; then they see whose share is what.
// Rest:               stealing needs a victim above the target, or a lack of two or more. So once everybody is
//                     within one of everybody else nobody moves, and there is no oscillation.

import type { TakenHow } from "../../model/events/leaseEvent.ts";
import { actualOwner, hasEnded, type Lease } from "../lease.ts";
import type { Observation, ObservedLease } from "./leaseAges.ts";
import { byPreference } from "./preference.ts";
import { type FleetSize, longestRestMs } from "./scanPace.ts";

export interface AssignmentSettings {
  readonly failoverTimeMillis: number;
  readonly maxLeasesForWorker: number;
  readonly maxLeasesToStealAtOneTime: number;
  /** Take neglected leases even beyond the fair share. */
  readonly enablePriorityLeaseAssignment: boolean;
}

export interface AssignmentView {
  readonly leases: Observation;
  readonly workerId: string;
  /** Monotonic time of the scan that the view comes from. */
  readonly nowMs: number;
  /** Nothing was taken by this process before: leases under our name are left from an earlier life. */
  readonly firstPass: boolean;
  /** Not to be taken now: held already, or a consumer of an earlier tenure is still ending. */
  readonly busy: ReadonlySet<string>;
  /** Asked for, and not given yet: as good as ours, and busy too. */
  readonly requested: ReadonlySet<string>;
  /** Asked for lately: when they carry our name they were handed over, though we did not hear of it. */
  readonly expected: ReadonlySet<string>;
  /** How many free leases to take before looking again. */
  readonly atOnce: number;
  readonly random: () => number;
}

export interface Take {
  readonly lease: Lease;
  /** `stolen`: from a live worker, who is asked first. */
  readonly how: TakenHow;
  /** Who had it, where the lease itself does not say so any more. */
  readonly from?: string;
}

export interface Assignment {
  /** In the order in which to take them; each may be lost to a faster worker. */
  readonly take: readonly Take[];
  /** How many leases this worker ought to have. */
  readonly target: number;
  /** Leases of the fair share that `maxLeasesForWorker` forbids; nobody may be reading them. */
  readonly spillover: number;
  /** Shards that nobody has read for a while, and that `maxLeasesForWorker` forbids to take. */
  readonly beyondLimit: readonly string[];
  /** Leases lately without owner are left: for our next look, or for others. */
  readonly more: boolean;
}

/** As Java: an expired lease is neglected after three failover times. */
const NEGLECTED_EXPIRED = 3;
/** A lease without owner is neglected when everybody has had time to look at it, and a little more. */
const NEGLECTED_LOOKS = 1.5;

export function assign(view: AssignmentView, settings: AssignmentSettings): Assignment {
  const work: ObservedLease[] = [];
  const resumed: ObservedLease[] = [];
  const available: ObservedLease[] = [];
  for (const seen of view.leases.values()) {
    if (hasEnded(seen.lease)) continue;
    work.push(seen);
    const mayResume = resumed.length < settings.maxLeasesForWorker && isLeft(seen, view);
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
    // The neglected first: they are the ones whose records have waited longest.
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

/** As above, and how often the leader of a 3.x fleet assigns leases. */
export interface AcceptanceSettings extends AssignmentSettings {
  readonly leaseAssignmentIntervalMillis: number;
}

/** In a fleet that is led, a lease is rescued when the leader has passed it over in one run, and half another. */
const LEADER_RUNS = 1.5;

/**
 * What to take where a leader assigns: what carries our name. And what nobody has read for so long that the leader ought
 * to have given it to somebody: it is dead, or another is about to lead (Java takes two minutes over that). Taking it is
 * safe, since the leader's writes are conditional on the owner that it has seen.
 */
export function accept(view: AssignmentView, settings: AcceptanceSettings): readonly Take[] {
  const { failoverTimeMillis, leaseAssignmentIntervalMillis, maxLeasesForWorker } = settings;
  const { workerId, busy, expected, firstPass, nowMs } = view;
  const work = [...view.leases.values()].filter(({ lease }) => !hasEnded(lease));
  const assigned = work.filter((seen) => isUnderOurName(seen, view));
  const isAssigned = new Set(assigned);
  const patienceMs = failoverTimeMillis + LEADER_RUNS * leaseAssignmentIntervalMillis;
  const forgotten = work.filter((seen) => {
    const { lease, ownerlessSinceMs, changedMs } = seen;
    if (isAssigned.has(seen) || busy.has(lease.shardId)) return false;
    return (
      lease.checkpointOwner === undefined && nowMs - (ownerlessSinceMs ?? changedMs) > patienceMs
    );
  });
  const mine = work.filter(({ lease }) => actualOwner(lease) === workerId).length;
  const room = Math.max(0, maxLeasesForWorker - mine);
  return [
    ...assigned.map(({ lease }) => ({
      lease,
      how: expected.has(lease.shardId)
        ? ("handedOver" as const)
        : firstPass
          ? ("resumed" as const)
          : ("assigned" as const),
    })),
    ...shuffled(forgotten, view.random)
      .slice(0, room)
      .map((seen) => asTake(seen, view)),
  ];
}

/** Nobody keeps it alive, as far as has been seen, and it is neither ours nor being handed over: it may have to be rescued. */
export function isOverdue(
  { lease, changedMs, ownerlessSinceMs }: ObservedLease,
  workerId: string,
  nowMs: number,
  failoverTimeMillis: number,
): boolean {
  if (hasEnded(lease) || lease.checkpointOwner !== undefined || lease.owner === workerId)
    return false;
  return ownerlessSinceMs !== undefined || nowMs - changedMs > failoverTimeMillis;
}

/** @returns leases of the worker that has most: down to its fair share, or one if we lack two or more. */
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
  const loot = work
    .filter(
      ({ lease }) =>
        actualOwner(lease) === victim &&
        lease.checkpointOwner === undefined &&
        !view.busy.has(lease.shardId),
    )
    .filter((seen) => !isAskedFor(seen, view, settings));
  return shuffled(loot, view.random)
    .slice(0, number)
    .map(({ lease }) => ({ lease, how: "stolen" as const }));
}

/** Of an earlier life, or handed over to us unheard. */
function isLeft(seen: ObservedLease, view: AssignmentView): boolean {
  return isUnderOurName(seen, view) && (view.firstPass || view.expected.has(seen.lease.shardId));
}

function isUnderOurName({ lease }: ObservedLease, { workerId, busy }: AssignmentView) {
  return (
    lease.owner === workerId && lease.checkpointOwner === undefined && !busy.has(lease.shardId)
  );
}

/** Somebody else has asked for it, and it has not stood there so long that he must be dead, or his victim deaf. */
function isAskedFor(
  { lease, askedSinceMs }: ObservedLease,
  { nowMs }: AssignmentView,
  { failoverTimeMillis }: AssignmentSettings,
): boolean {
  if (lease.handoverTo === undefined) return false;
  return lease.handoverFrom !== undefined || nowMs - (askedSinceMs ?? nowMs) < failoverTimeMillis;
}

function isAvailable(
  { lease, changedMs }: ObservedLease,
  { nowMs, busy, workerId }: AssignmentView,
  { failoverTimeMillis }: AssignmentSettings,
): boolean {
  const owner = actualOwner(lease);
  if (owner === undefined) return true;
  // What we hold is renewed by us, however old the scan may think it is.
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

/** Live workers and what each has; this one is always among them. */
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
    const heir = isRequested ? workerId : given;
    // Whoever gives one up is alive, though nothing may be left to him.
    if (isKept && heir !== owner && !counts.has(owner)) counts.set(owner, 0);
    counts.set(heir, (counts.get(heir) ?? 0) + 1);
  }
  return counts;
}

function asTake({ lease }: ObservedLease, { workerId }: AssignmentView): Take {
  const owner = actualOwner(lease);
  if (owner === undefined) return { lease, how: "unowned" };
  return { lease, how: owner === workerId ? "resumed" : "expired" };
}

/** Fisher–Yates, so that workers that decide at the same time seldom want the same lease. */
function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [result[i], result[j]];
    if (a !== undefined && b !== undefined) [result[i], result[j]] = [b, a];
  }
  return result;
}
