// What is known of one shard of this worker: a reducer over the shard's events. It reads no clock;
// its memory is bounded, whatever a child writes.

import type { Event } from "../../events.ts";
import type { Position } from "../../model/position.ts";
import { describe } from "../logLines.ts";
import { History } from "./history.ts";

export type ShardPhase =
  | "waiting for parents"
  | "starting"
  | "processing"
  | "restarting"
  | "handing over"
  | "stopping"
  | "ended"
  | "released";

export interface ShardError {
  readonly atMs: number;
  readonly message: string;
  /** The child's last lines on STDERR. */
  readonly lines: readonly string[];
}

export interface ShardState {
  readonly shardId: string;
  isHeld: boolean;
  phase: ShardPhase;
  position: Position | undefined;
  checkpoint: Position | undefined;
  lagMs: number | undefined;
  records: number;
  bytes: number;
  /** The time that the child took for the last batch. */
  batchMs: number | undefined;
  pid: number | undefined;
  childSinceMs: number | undefined;
  restarts: number;
  /** Since when the shard makes no progress, as `shardStuck` reported. */
  stuckSinceMs: number | undefined;
  lastError: ShardError | undefined;
  /** As the child wrote them: redact them before they are shown. */
  readonly stderr: string[];
  readonly history: History;
  /** Raised at every change. */
  version: number;
}

/** Lines of a child's STDERR that are kept, and characters of each. */
const STDERR_LINES = 8;
const STDERR_LINE_CHARS = 1_000;
const MESSAGE_CHARS = 2_000;

export type ShardsEvent = Extract<Event, { readonly shardId: string }>;

export function newShard(shardId: string): ShardState {
  return {
    shardId,
    isHeld: false,
    phase: "released",
    position: undefined,
    checkpoint: undefined,
    lagMs: undefined,
    records: 0,
    bytes: 0,
    batchMs: undefined,
    pid: undefined,
    childSinceMs: undefined,
    restarts: 0,
    stuckSinceMs: undefined,
    lastError: undefined,
    stderr: [],
    history: new History(),
    version: 0,
  };
}

/** Applies an event of the shard. @returns whether anything that is shown has changed. */
export function applyToShard(shard: ShardState, event: Event, nowMs: number): boolean {
  const isChanged = childEvent(shard, event, nowMs) || shardEvent(shard, event, nowMs);
  if (isChanged) shard.version += 1;
  return isChanged;
}

function shardEvent(shard: ShardState, event: Event, nowMs: number): boolean {
  switch (event.type) {
    case "leaseTaken":
      Object.assign(shard, { isHeld: true, phase: "starting", restarts: 0 });
      return true;
    case "leaseLost":
    case "leaseReleased":
      Object.assign(shard, {
        isHeld: false,
        phase: shard.phase === "ended" ? "ended" : "released",
      });
      Object.assign(shard, { lagMs: undefined, stuckSinceMs: undefined });
      return true;
    case "waitingForParents":
      return enter(shard, "waiting for parents");
    case "handoverRequested":
      return enter(shard, "handing over");
    case "shardStarted":
      shard.position ??= event.position;
      shard.checkpoint ??= event.position;
      return enter(shard, "processing");
    case "batchProcessed":
      processed(shard, event, nowMs);
      return true;
    case "checkpointed":
      shard.checkpoint = event.position;
      return true;
    case "shardStuck":
      shard.stuckSinceMs ??= nowMs;
      return failed(shard, event, [], nowMs);
    case "destinationTrouble":
    case "checkpointTrouble":
      return failed(shard, event, [], nowMs);
    case "shardStopped":
      shard.stuckSinceMs = undefined;
      return enter(shard, event.reason === "shardEnded" ? "ended" : "stopping");
    default:
      return false;
  }
}

function childEvent(shard: ShardState, event: Event, nowMs: number): boolean {
  switch (event.type) {
    case "childStarted":
      shard.pid = event.pid;
      shard.childSinceMs = nowMs;
      return true;
    case "childExited":
      if (shard.pid !== event.pid) return false;
      shard.pid = undefined;
      shard.childSinceMs = undefined;
      return true;
    case "childOutput":
      if (event.stream !== "stderr") return false;
      shard.stderr.push(event.line.slice(0, STDERR_LINE_CHARS));
      if (shard.stderr.length > STDERR_LINES) shard.stderr.shift();
      return true;
    case "childFailed":
      shard.phase = event.next === "restart" ? "restarting" : "stopping";
      if (event.next === "restart") shard.restarts += 1;
      return failed(shard, event, lastLines(event.error), nowMs);
    default:
      return false;
  }
}

function processed(
  shard: ShardState,
  event: Extract<Event, { type: "batchProcessed" }>,
  nowMs: number,
): void {
  const { records, bytes, position, millisBehindLatest, elapsedMs } = event;
  shard.phase = shard.phase === "handing over" ? shard.phase : "processing";
  shard.records += records;
  shard.bytes += bytes;
  shard.position = position ?? shard.position;
  shard.batchMs = elapsedMs;
  shard.stuckSinceMs = undefined;
  shard.history.processed(records, bytes, nowMs);
  if (millisBehindLatest !== undefined) lag(shard, millisBehindLatest, nowMs);
}

function lag(shard: ShardState, lagMs: number, nowMs: number): void {
  shard.lagMs = lagMs;
  shard.history.lag(lagMs, nowMs);
}

function enter(shard: ShardState, phase: ShardPhase): true {
  shard.phase = phase;
  return true;
}

function failed(shard: ShardState, event: Event, lines: readonly string[], atMs: number): true {
  const [first = ""] = describe(event).message.split("\n", 1);
  shard.lastError = { atMs, message: first.slice(0, MESSAGE_CHARS), lines };
  return true;
}

/** Of an error that has the child's output. */
function lastLines(error: Error): readonly string[] {
  const lines = "lastStderr" in error && Array.isArray(error.lastStderr) ? error.lastStderr : [];
  return lines.slice(-STDERR_LINES).map((line) => String(line).slice(0, STDERR_LINE_CHARS));
}
