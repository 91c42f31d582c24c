// The state as others see it: plain JSON, without secrets, with wall-clock times. `/shards`, the
// page and `top` show this.

import type { SeenLease } from "../../model/events/seenLease.ts";
import { formatPosition, type Position } from "../../model/position.ts";
import { redact } from "../../redact.ts";
import type { DaemonState } from "../state.ts";
import { holderOf, isEnded } from "./fleetState.ts";
import type { Rate, Series } from "./history.ts";
import type { LaneState } from "./laneState.ts";
import type { ShardState } from "./shardState.ts";

/** The moment at which a state is shown, on both clocks. */
export interface Moment {
  readonly nowMs: number;
  readonly wallMs: number;
}

export interface LaneSummary {
  readonly lane: number;
  readonly state: string;
  readonly pid: number | null;
  readonly records: number;
  readonly checkpoint: string | null;
  readonly restarts: number;
}

export interface ShardSummary extends Rate {
  readonly shardId: string;
  /** Whether this worker holds the lease; what a child does is known only then. */
  readonly held: boolean;
  readonly owner: string | null;
  readonly state: string;
  readonly position: string | null;
  readonly checkpoint: string | null;
  readonly lagMs: number | null;
  readonly records: number;
  readonly bytes: number;
  readonly batchMs: number | null;
  /** Null also if several children share the shard. */
  readonly pid: number | null;
  /** Present if several children share the shard. */
  readonly lanes?: readonly LaneSummary[];
  readonly childSince: string | null;
  readonly restarts: number;
  readonly lastError: { readonly at: string; readonly message: string } | null;
  readonly parents: readonly string[];
}

export interface ShardDetail extends ShardSummary {
  /** The lines on STDERR of the child that failed last. */
  readonly lastErrorLines: readonly string[];
  /** The last lines on STDERR, of this child or the one before it. */
  readonly stderr: readonly string[];
  readonly history: Series;
}

export interface WorkerSummary {
  readonly workerId: string;
  readonly leases: number;
  readonly isThis: boolean;
  /** It has written to one of its leases within the failover time. */
  readonly alive: boolean;
  readonly lastSeen: string;
}

export interface Overview {
  readonly time: string;
  readonly application: DaemonState["application"];
  readonly startedAt: string | null;
  readonly phase: string;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly totals: DaemonState["totals"] &
    Rate & {
      readonly shardsHeld: number;
      readonly lagMs: number | null;
    };
  readonly fleet: {
    readonly seenAt: string | null;
    readonly leases: number;
    readonly unowned: number;
    readonly workers: readonly WorkerSummary[];
  };
  readonly deadLetters: readonly {
    readonly at: string;
    readonly shardId: string;
    readonly records: number;
    readonly condition: string;
    readonly first: string | null;
  }[];
  readonly incidents: readonly {
    readonly at: string;
    readonly level: string;
    readonly event: string;
    readonly shardId: string | null;
    readonly message: string;
  }[];
}

export function overview(
  state: DaemonState,
  { nowMs, wallMs }: Moment,
  failoverTimeMillis: number,
): Overview {
  const at = (ms: number) => new Date(wallMs - (nowMs - ms)).toISOString();
  const { application, readiness, totals, history, fleet, startedMs } = state;
  const held = [...state.shards.values()].filter(({ isHeld }) => isHeld);
  const lags = held.flatMap(({ lagMs }) => lagMs ?? []);
  const open = [...fleet.leases.values()].filter(({ lease }) => !isEnded(lease));
  return {
    time: at(nowMs),
    application,
    startedAt: startedMs === undefined ? null : at(startedMs),
    phase: readiness.phase,
    ready: readiness.reasons.length === 0,
    reasons: readiness.reasons.map(redact),
    totals: {
      ...totals,
      ...rounded(history.rate(nowMs)),
      shardsHeld: held.length,
      lagMs: lags.length === 0 ? null : Math.max(...lags),
    },
    fleet: {
      seenAt: fleet.seenMs === undefined ? null : at(fleet.seenMs),
      leases: open.length,
      unowned: open.filter(({ lease }) => holderOf(lease) === undefined).length,
      workers: fleet.workers.map(({ workerId, leases, seenMs }) => ({
        workerId,
        leases,
        isThis: workerId === application.workerId,
        alive: leases > 0 && (fleet.seenMs ?? seenMs) - seenMs <= failoverTimeMillis,
        lastSeen: at(seenMs),
      })),
    },
    deadLetters: state.burials.map(({ atMs, shardId, records, event }) => ({
      at: at(atMs),
      shardId,
      records,
      condition: event.condition,
      first: shown(event.first),
    })),
    incidents: state.incidents.map(({ atMs, level, event, shardId, message }) => ({
      at: at(atMs),
      level,
      event,
      shardId: shardId ?? null,
      message: redact(message),
    })),
  };
}

/** All shards: those of this worker, and those of the others as their leases show them. */
export function shardSummaries(state: DaemonState, moment: Moment): readonly ShardSummary[] {
  const { shards, fleet } = state;
  const ids = new Set([...fleet.leases.keys(), ...shards.keys()]);
  return [...ids].sort().map((shardId) => shardSummary(shardId, state, moment));
}

export function shardSummary(
  shardId: string,
  { shards, fleet, application }: DaemonState,
  { nowMs, wallMs }: Moment,
): ShardSummary {
  const lease = fleet.leases.get(shardId)?.lease;
  const shard = shards.get(shardId);
  const at = (ms: number) => new Date(wallMs - (nowMs - ms)).toISOString();
  const { recordsPerSecond, bytesPerSecond } = rounded(
    shard?.isHeld ? shard.history.rate(nowMs) : { recordsPerSecond: 0, bytesPerSecond: 0 },
  );
  const error = shard?.lastError;
  return {
    shardId,
    held: shard?.isHeld ?? false,
    owner: (shard?.isHeld ? application.workerId : lease && holderOf(lease)) ?? null,
    state: stateOf(shard, lease),
    position: shown(shard?.position),
    checkpoint: shown(shard?.isHeld ? shard.checkpoint : (lease?.checkpoint ?? shard?.checkpoint)),
    lagMs: shard?.lagMs ?? null,
    recordsPerSecond,
    bytesPerSecond,
    records: shard?.records ?? 0,
    bytes: shard?.bytes ?? 0,
    batchMs: shard?.batchMs === undefined ? null : Math.round(shard.batchMs),
    pid: shard?.pid ?? null,
    ...(shard && shard.lanes.length > 0 && { lanes: shard.lanes.map(laneSummary) }),
    childSince: shard?.childSinceMs === undefined ? null : at(shard.childSinceMs),
    restarts: shard?.restarts ?? 0,
    lastError: error ? { at: at(error.atMs), message: redact(error.message) } : null,
    parents: lease?.parentShardIds ?? [],
  };
}

function laneSummary({ phase: state, pid, checkpoint, ...lane }: LaneState): LaneSummary {
  return { ...lane, state, pid: pid ?? null, checkpoint: shown(checkpoint) };
}

/** `undefined` for a shard that neither a lease nor an event has named. */
export function shardDetail(
  shardId: string,
  state: DaemonState,
  moment: Moment,
): ShardDetail | undefined {
  const shard = state.shards.get(shardId);
  if (!shard && !state.fleet.leases.has(shardId)) return undefined;
  return {
    ...shardSummary(shardId, state, moment),
    lastErrorLines: (shard?.lastError?.lines ?? []).map(redact),
    stderr: (shard?.stderr ?? []).map(redact),
    history: shard?.history.series(moment.nowMs) ?? { lagMs: [], records: [], bytes: [] },
  };
}

function stateOf(shard: ShardState | undefined, lease: SeenLease | undefined): string {
  if (shard?.stuckSinceMs !== undefined) return "stuck";
  if (shard?.isHeld) {
    const isRestarting = shard.lanes.some(({ phase }) => phase === "restarting");
    return shard.phase === "processing" && isRestarting ? "restarting" : shard.phase;
  }
  if (lease && isEnded(lease)) return "ended";
  if (!lease) return shard?.phase ?? "released";
  return holderOf(lease) === undefined ? "unowned" : "elsewhere";
}

function shown(position: Position | undefined): string | null {
  return position ? formatPosition(position) : null;
}

/** Three digits are as exact as a rate over ten seconds is. */
function rounded({ recordsPerSecond, bytesPerSecond }: Rate): Rate {
  return {
    recordsPerSecond: Number(recordsPerSecond.toPrecision(3)),
    bytesPerSecond: Math.round(bytesPerSecond),
  };
}
