// The log lines of putting records into streams.

import type { ProducerEvent } from "../../model/events/producerEvent.ts";
import { counted } from "../../plural.ts";
import { type LinesOf, milliseconds, reason, sentence } from "./line.ts";

export const PRODUCER_LINES: LinesOf<ProducerEvent> = {
  shardMapLoaded: ["info", (e) => `Stream ${e.streamName} has ${counted(e.shards, "open shard")}.`],
  shardMapFailed: [
    "warn",
    (e) =>
      `The shards of stream ${e.streamName} could not be listed: ${reason(e.error)} Records are sent without aggregation until they are known. The next attempt is in ${milliseconds(e.retryInMs)}. Check that the stream exists and that the permission kinesis:ListShards is granted.`,
  ],
  putThrottled: [
    "warn",
    (e) =>
      `Shard ${e.shardId} of stream ${e.streamName} refused ${counted(e.records, "record")}, which will be sent again. The producer now uses ${e.ratePercent} % of the shard's 1 MiB and 1,000 records per second. If this persists, add shards (aws kinesis update-shard-count), or spread the partition keys.`,
  ],
  putCallFailed: [
    "warn",
    (e) =>
      `PutRecords on stream ${e.streamName} failed: ${e.errorCode}: ${sentence(e.errorMessage)} The producer sends its ${counted(e.records, "record")} again.${e.maybeStored ? " They may be stored twice, because the outcome of the call is unknown." : ""} If this persists, check the network and the endpoint.`,
  ],
  putRefused: [
    "error",
    (e) =>
      `Stream ${e.streamName} refuses records: ${e.errorCode}: ${sentence(e.errorMessage)} Check the stream's name and region, the permission kinesis:PutRecords, and the KMS key. ${
        e.retryInMs === undefined
          ? `${counted(e.records, "record")} failed, because onPermanentError = fail.`
          : `${counted(e.records, "record")} wait, because onPermanentError = wait. The next attempt is in ${milliseconds(e.retryInMs)}.`
      }`,
  ],
  aggregateStraddles: [
    "info",
    (e) =>
      `The shards of stream ${e.streamName} changed: ${e.actual} stored an aggregate of ${counted(e.records, "record")} that was made for ${e.predicted}, and holds only a part of their hash keys. A KCL drops such an aggregate, so its records are sent again.`,
  ],
  clientLost: [
    "warn",
    (e) =>
      `A client has gone; it did not receive ${counted(e.unreported, "result")}. The records themselves are stored, unless another line says otherwise.`,
  ],
  clientFailed: [
    "warn",
    (e) =>
      `The connection to a client broke: ${reason(e.error)} The records that it put before are stored.`,
  ],
  producerListening: ["info", (e) => `The producer accepts records at ${e.address}.`],
  producerMetricsServed: [
    "info",
    (e) => `Metrics for Prometheus are at http://${e.address}/metrics.`,
  ],
  producerClosed: [
    (e) => (e.failed + e.notStored > 0 ? "error" : "info"),
    (e) =>
      `The producer has ended. ${counted(e.stored, "record")} stored, ${e.failed} failed, ${e.notStored} without an outcome${e.notStored > 0 ? ". Raise closeTimeoutMillis, or set spill to keep such records" : ""}.`,
  ],
  spillRecovered: [
    "info",
    (e) =>
      `The spill directory has ${counted(e.records, "record")} of an earlier run that may not be stored. The producer puts them again; those that were stored then are stored twice.`,
  ],
  spillTornTail: [
    "warn",
    (e) =>
      `The last ${counted(e.bytes, "byte")} of ${e.file} cannot be read. If the file was being written at a crash, they belong to a record that was never acknowledged. Otherwise check the disk.`,
  ],
};
