// What is known of one shard of this worker: a reducer over the shard's events. It reads no clock;
// its memory is bounded, whatever a child writes.

import type { Event, Origin } from "../../events.ts";
import { comparePositions, type Position } from "../../model/position.ts";
import { describe } from "../logLines.ts";
import { History } from "./history.ts";
import { applyToLane, type LaneState, newLanes } from "./laneState.ts";

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
  /** Empty while one child processes the shard. */
  lanes: readonly LaneState[];
  /** As the child wrote them: redact them before they are shown. */
  readonly stderr: string[];
  readonly history: History;
}

/** What follows the end of a child, where that is not the end of the work on the shard. */
const AFTER_STOP: Readonly<Record<string, ShardPhase>> = {
  shardEnded: "ended",
  restartRequested: "restarting",
};

const OF_ONE_CHILD: readonly Event["type"][] = ["childStarted", "childExited", "shardStopped"];

/** Lines of a child's STDERR that are kept, and characters of each. */
const STDERR_LINES = 8;
const STDERR_LINE_CHARS = 1_000;
const MESSAGE_CHARS = 2_000;

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
    lanes: [],
    stderr: [],
    history: new History(),
  };
}

export function applyToShard(shard: ShardState, event: Event & Origin, nowMs: number): void {
  const lane = event.lane === undefined ? undefined : shard.lanes[event.lane];
  if (lane) applyToLane(lane, event);
  // A child of several is not the child of the shard: what it does shows in its lane.
  if (lane && OF_ONE_CHILD.includes(event.type)) return;
  switch (event.type) {
    case "leaseTaken":
      Object.assign(shard, { isHeld: true, phase: "starting", restarts: 0 });
      break;
    case "leaseLost":
    case "leaseReleased":
      if (shard.phase !== "ended") shard.phase = "released";
      Object.assign(shard, { isHeld: false, lagMs: undefined, stuckSinceMs: undefined, lanes: [] });
      break;
    case "lanesStarted":
      shard.lanes = newLanes(event.lanes);
      break;
    case "waitingForParents":
      shard.phase = "waiting for parents";
      break;
    case "handoverRequested":
      shard.phase = "handing over";
      break;
    case "shardStarted":
      shard.phase = "processing";
      shard.position ??= event.position;
      shard.checkpoint ??= event.position;
      break;
    case "batchProcessed":
      processed(shard, event, nowMs);
      break;
    case "fetched":
      // With records, the lag is that of the batch that is made of them.
      if (event.records === 0) noteLag(shard, event.millisBehindLatest, nowMs);
      break;
    case "checkpointed":
      shard.checkpoint = event.position;
      break;
    case "shardStuck":
      shard.stuckSinceMs ??= nowMs;
      failed(shard, event, [], nowMs);
      break;
    case "destinationTrouble":
    case "checkpointTrouble":
      failed(shard, event, [], nowMs);
      break;
    case "shardStopped":
      shard.stuckSinceMs = undefined;
      shard.phase = AFTER_STOP[event.reason] ?? "stopping";
      break;
    default:
      applyToChild(shard, event, nowMs);
  }
}

function applyToChild(shard: ShardState, event: Event, nowMs: number): void {
  switch (event.type) {
    case "childStarted":
      Object.assign(shard, { pid: event.pid, childSinceMs: nowMs });
      break;
    case "childExited":
      if (shard.pid === event.pid)
        Object.assign(shard, { pid: undefined, childSinceMs: undefined });
      break;
    case "childOutput":
      if (event.stream !== "stderr") break;
      shard.stderr.push(event.line.slice(0, STDERR_LINE_CHARS));
      if (shard.stderr.length > STDERR_LINES) shard.stderr.shift();
      break;
    case "childFailed":
      if (shard.lanes.length === 0)
        shard.phase = event.next === "restart" ? "restarting" : "stopping";
      if (event.next === "restart") shard.restarts += 1;
      failed(shard, event, lastLines(event.error), nowMs);
      break;
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
  // Several children do not process batches in the order of the shard.
  const isOld = shard.lanes.length > 0 && isBefore(position, shard.position);
  shard.position = isOld ? shard.position : (position ?? shard.position);
  shard.batchMs = elapsedMs;
  shard.stuckSinceMs = undefined;
  shard.history.processed(records, bytes, nowMs);
  noteLag(shard, millisBehindLatest, nowMs);
}

function isBefore(a: Position | undefined, b: Position | undefined): boolean {
  return a !== undefined && b !== undefined && comparePositions(a, b) < 0;
}

function noteLag(shard: ShardState, lagMs: number | undefined, nowMs: number): void {
  if (lagMs === undefined) return;
  shard.lagMs = lagMs;
  shard.history.lag(lagMs, nowMs);
}

function failed(shard: ShardState, event: Event, lines: readonly string[], atMs: number): void {
  const [first = ""] = describe(event).message.split("\n", 1);
  shard.lastError = { atMs, message: first.slice(0, MESSAGE_CHARS), lines };
}

/** Of an error that has the child's output. */
function lastLines(error: Error): readonly string[] {
  const lines = "lastStderr" in error && Array.isArray(error.lastStderr) ? error.lastStderr : [];
  return lines.slice(-STDERR_LINES).map((line) => String(line).slice(0, STDERR_LINE_CHARS));
}
