// The log lines of reading the stream.

import type { StreamEvent } from "../../model/events/streamEvent.ts";
import { formatPosition } from "../../model/position.ts";
import { counted } from "../../plural.ts";
import { type LinesOf, reason, seconds } from "./line.ts";

const LONGER_RETENTION =
  "To keep records longer, run aws kinesis increase-stream-retention-period.";

export const STREAM_LINES: LinesOf<StreamEvent> = {
  fetched: [
    (e) => (e.records > 0 ? "trace" : "silent"),
    (e) => `Read ${counted(e.records, "record")}, ${counted(e.bytes, "byte")}.`,
  ],
  iteratorExpired: ["info", () => "The shard iterator expired; the daemon requests a new one."],
  recordsExpired: [
    "error",
    (e) =>
      `The record of the checkpoint ${formatPosition(e.checkpoint)} is no longer in the stream. Reading continues at ${formatPosition(e.first)}; records in between that have passed the retention period are lost. ${LONGER_RETENTION}`,
  ],
  shardExpired: [
    "error",
    () =>
      `The shard is no longer in the stream, nor are its records: those that were not read before the retention period ended are lost. ${LONGER_RETENTION}`,
  ],
  fanoutConsumerFound: [
    "info",
    (e) =>
      `The enhanced fan-out consumer ${e.consumerName} is active${e.registered ? "; the daemon registered it now, and it stays registered when this worker ends" : ""}: ${e.arn}`,
  ],
  fanoutEmulated: [
    "warn",
    (e) =>
      `This Kinesis is an emulator: AWS has no account as in ${e.arn}. In kinesis-mock, which LocalStack contains, fan-out never reports the child shards, so a shard that was split or merged never ends. Set retrievalMode = POLLING.`,
  ],
  fanoutRefused: [
    "warn",
    (e) => `${reason(e.error)} Because retrievalMode is AUTO, the daemon polls the stream instead.`,
  ],
  subscribed: ["debug", () => "Subscribed to the shard."],
  readingThrottledByBudget: [
    "warn",
    (e) =>
      `${counted(e.shardIds.length, "shard")} ${e.shardIds.length === 1 ? "has" : "have"} fallen behind for ${seconds(e.forMs)}, because ${
        e.limitBytes === undefined
          ? "the buffered records of all shards fill the limit of 256 MiB"
          : `maxBufferedBytes = ${e.limitBytes} holds less than arrives between two reads`
      }: ${e.shardIds.join(", ")}. Set maxBufferedBytes = ${e.enoughBytes}, ${e.limitBytes === undefined ? "" : "remove it, "}or start another worker for part of the shards.`,
  ],
  aggregateMalformed: [
    "error",
    (e) =>
      `The aggregated record ${e.sequenceNumber} is damaged (${e.reason}). The daemon delivers ${e.delivered} of its records; no consumer can read the others. Check the producer that wrote it.`,
  ],
  aggregateMisplaced: [
    "error",
    (e) =>
      `The aggregated record ${e.sequenceNumber} contains a record of another shard's hash key, so none of its user records (${e.records} in all) is delivered, as in KCL. ${
        e.kept
          ? "They go to the dead letters."
          : "Set onFailureDestination to keep such records as dead letters."
      } Set aggregateHashRangeCheck = deliver to deliver them.`,
  ],
};
