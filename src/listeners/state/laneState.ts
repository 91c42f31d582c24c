// What is known of one lane of a shard: a reducer over the events of its child.

import type { Event } from "../../events.ts";
import type { Position } from "../../model/position.ts";

export interface LaneState {
  readonly lane: number;
  phase: "starting" | "processing" | "restarting" | "stopping" | "ended";
  pid: number | undefined;
  records: number;
  checkpoint: Position | undefined;
  restarts: number;
}

export function newLanes(count: number): LaneState[] {
  return Array.from({ length: count }, (_, lane) => ({
    lane,
    phase: "starting",
    pid: undefined,
    records: 0,
    checkpoint: undefined,
    restarts: 0,
  }));
}

/** What follows the end of a child, where that is not the end of the work on the shard. */
const AFTER_STOP: Readonly<Record<string, LaneState["phase"]>> = {
  shardEnded: "ended",
  restartRequested: "restarting",
};

export function applyToLane(lane: LaneState, event: Event): void {
  switch (event.type) {
    case "childStarted":
      lane.pid = event.pid;
      break;
    case "childExited":
      if (lane.pid === event.pid) lane.pid = undefined;
      break;
    case "shardStarted":
      lane.phase = "processing";
      break;
    case "batchProcessed":
      lane.records += event.records;
      break;
    case "laneCheckpointed":
      lane.checkpoint = event.position;
      break;
    case "childFailed":
      lane.phase = event.next === "restart" ? "restarting" : "stopping";
      if (event.next === "restart") lane.restarts += 1;
      break;
    case "shardStopped":
      lane.phase = AFTER_STOP[event.reason] ?? "stopping";
      break;
  }
}
