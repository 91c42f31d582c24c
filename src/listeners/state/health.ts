// Whether the daemon is alive and ready. Alive is what a restart would help: the loop over the
// leases goes on, and no shard is stuck although the daemon has tried what it can. A service that
// does not answer makes the daemon not ready, and never dead.

import type { DaemonState } from "../state.ts";

export interface HealthSettings {
  readonly failoverTimeMillis: number;
  readonly progressTimeoutSeconds?: number | undefined;
}

export interface Health {
  readonly ok: boolean;
  /** Empty when `ok`. */
  readonly reasons: readonly string[];
}

/**
 * The lease loop makes a call at least once in six failover times, and a call that gets no answer
 * is reported within seconds.
 */
const SILENT_FAILOVERS = 10;
/** With a short failover time, the calls' own limits decide. */
const SILENT_MIN_MS = 60_000;

export function liveness(state: DaemonState, settings: HealthSettings, nowMs: number): Health {
  const reasons = [...silentLoop(state, settings, nowMs), ...stuckShards(state, settings, nowMs)];
  return { ok: reasons.length === 0, reasons };
}

export function readiness(state: DaemonState): Health {
  const { reasons } = state.readiness;
  return { ok: reasons.length === 0, reasons };
}

function silentLoop(
  { readiness: { phase }, leaseLoopMs }: DaemonState,
  { failoverTimeMillis }: HealthSettings,
  nowMs: number,
): readonly string[] {
  // In the other phases no lease is looked at.
  if (phase !== "working" || leaseLoopMs === undefined) return [];
  const silentMs = nowMs - leaseLoopMs;
  if (silentMs < Math.max(SILENT_MIN_MS, SILENT_FAILOVERS * failoverTimeMillis)) return [];
  return [`The lease loop has made no call for ${Math.round(silentMs / 1000)} s.`];
}

/** The daemon replaces the reader or the child first; only when that has not helped is it dead. */
function stuckShards(
  { shards }: DaemonState,
  { progressTimeoutSeconds }: HealthSettings,
  nowMs: number,
): readonly string[] {
  if (progressTimeoutSeconds === undefined) return [];
  const limitMs = progressTimeoutSeconds * 1_000;
  return [...shards.values()].flatMap(({ shardId, isHeld, stuckSinceMs = nowMs }) => {
    const stuckMs = nowMs - stuckSinceMs;
    if (!isHeld || stuckMs <= limitMs) return [];
    return [
      `${shardId} has made no progress since it was reported stuck ${Math.round(stuckMs / 1000)} s ago.`,
    ];
  });
}
