// The log lines of consuming a shard.

import type { ShardEvent } from "../../model/events/shardEvent.ts";
import { formatPosition } from "../../model/position.ts";
import { counted } from "../../plural.ts";
import { type LinesOf, milliseconds, range, reason, seconds } from "./line.ts";

export const SHARD_LINES: LinesOf<ShardEvent> = {
  waitingForParents: ["info", () => "The shard waits until its parent shards have ended."],
  shardStarted: ["info", (e) => `Reading starts at ${formatPosition(e.position)}.`],
  batchSent: ["trace", (e) => `Sent ${counted(e.records, "record")} to child ${e.pid}.`],
  batchProcessed: [
    "debug",
    (e) => `The child processed ${counted(e.records, "record")} in ${milliseconds(e.elapsedMs)}.`,
  ],
  checkpointed: ["debug", (e) => `Stored the checkpoint ${formatPosition(e.position)}.`],
  lanesStarted: ["info", (e) => `${counted(e.lanes, "child", "children")} share the shard.`],
  lanesChanged: [
    "info",
    (e) =>
      `The number of children that share the shard changes from ${e.from} to ${e.to}: they were busy for ${Math.round(100 * e.busy)} % of the time, and the shard is ${seconds(e.behindMs)} behind. The children end in order, and new ones continue.`,
  ],
  laneCheckpointed: ["debug", (e) => `The lane has checkpointed ${formatPosition(e.position)}.`],
  laneHoldsBack: [
    "warn",
    (e) =>
      `The shard has waited for ${seconds(e.waitedMs)}, because this lane has processed records without a checkpoint, and the lanes may be only ${e.limitBytes} bytes ahead of the stored checkpoint (maxLaneAheadBytes). The daemon replaces the lane's child, which may checkpoint before it ends. Checkpoint more often, set checkpointPolicy = onBatchSuccess, or raise maxLaneAheadBytes.`,
  ],
  checkpointRefused: ["warn", (e) => `Refused a checkpoint with ${e.error}: ${e.message}`],
  childFailed: [
    (e) => (e.next === "stop" ? "warn" : "error"),
    (e) =>
      `${e.error.message}\n${
        e.records > 0 ? `${counted(e.records, "record")} in flight: ${range(e)}. ` : ""
      }${NEXT[e.next]}${e.retryInMs ? ` in ${(e.retryInMs / 1000).toFixed(1)} s` : ""}.`,
  ],
  childRestartRequested: [
    "info",
    () =>
      "An operator requested another child. The old one finishes its batch, and the new one continues after the last checkpoint.",
  ],
  shardStuck: [
    "error",
    (e) =>
      `${e.waitingFor === "records" ? "The stream delivered no records and no progress" : "The child did not answer and showed no activity"} for ${seconds(e.quietMs)} (progressTimeoutSeconds): ${STEPS[e.step]}.`,
  ],
  childSlow: [
    "warn",
    (e) =>
      `Child ${e.pid} has worked on its action for ${seconds(e.elapsedMs)} and is active, so the daemon waits. Set timeoutInSeconds to limit that time.`,
  ],
  recordsBuried: [
    "error",
    (e) =>
      `${counted(e.records, "record")} that ${e.condition === "hashRange" ? "the shard does not own" : "no child could process"} went to the dead letters (${e.condition}): ${range(e)}. kinesis-multilang redrive delivers them again.`,
  ],
  destinationTrouble: [
    "error",
    (e) =>
      `The dead-letter destination did not accept records (${counted(e.attempt, "failure")}); the shard waits, and the daemon retries in ${milliseconds(e.retryInMs)}. Check onFailureDestination. ${reason(e.error)}`,
  ],
  shardStopped: ["info", (e) => `Reading stopped: ${STOPPED[e.reason]}.`],
};

const NEXT = {
  restart: "A new child continues after the last checkpoint",
  releaseLease: "The daemon releases the lease, so that another worker can take it",
  exit: "The daemon ends",
  stop: "The shard is stopping, so no new child starts",
} as const;

const STEPS = {
  restartFetcher: "the daemon restarts the reading",
  restartChild: "the daemon replaces the child",
  releaseLease: "the daemon releases the lease, so that another worker can take it",
} as const;

const STOPPED = {
  shardEnded: "the shard has ended",
  leaseLost: "the lease is lost",
  stopRequested: "a stop or handover was requested",
  restartRequested: "another child was requested",
  stuck: "the stream delivered nothing",
  failed: "its child failed",
} as const;
