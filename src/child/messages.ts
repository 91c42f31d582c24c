// The messages between the daemon and a child, declared once. The schemas below are published as
// JSON Schemas. The lines to the child are made here, byte for byte as the Java daemon writes them
// (order of keys, nulls, no spaces).

import { z } from "zod";
import { escapeSeparators } from "../lines.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";

/** Each child receives it in KINESIS_MULTILANG_PROTOCOL_VERSION. */
export const PROTOCOL_VERSION = 1;

// ---- from the daemon to the child ---------------------------------------------------------------

export const initializeMessage = z
  .object({
    action: z.literal("initialize"),
    shardId: z.string().describe("The id of the shard that this process handles."),
    sequenceNumber: z
      .string()
      .nullable()
      .describe("The last checkpoint: decimal digits, TRIM_HORIZON, LATEST or AT_TIMESTAMP."),
    subSequenceNumber: z
      .int()
      .nullable()
      .describe("The sub-sequence number of the last checkpoint, or 0 if it has none."),
  })
  .describe("The first message: the shard, and its last checkpoint.");

export const recordMessage = z
  .object({
    data: z.base64().nullable().describe("The payload in base64: standard alphabet, padded."),
    partitionKey: z.string().nullable().describe("The key that the producer set."),
    sequenceNumber: z
      .string()
      .nullable()
      .describe("About 56 decimal digits. All records of a KPL aggregate have the same one."),
    approximateArrivalTimestamp: z
      .int()
      .nullable()
      .describe("When Kinesis accepted the record, in milliseconds since 1970."),
    subSequenceNumber: z
      .int()
      .nonnegative()
      .describe("The position in a KPL aggregate, from 0. It is 0 for every other record."),
    action: z.literal("record"),
  })
  .describe("One record of a batch. Official clients need its field action.");

export const processRecordsMessage = z
  .object({
    action: z.literal("processRecords"),
    records: z.array(recordMessage),
    millisBehindLatest: z
      .int()
      .nullable()
      .describe("How far the batch is behind the tip of the shard, in milliseconds."),
  })
  .describe("A batch of records, in order.");

export const checkpointAnswerMessage = z
  .object({
    action: z.literal("checkpoint"),
    checkpoint: z
      .string()
      .nullable()
      .optional()
      .describe("The sequence number again, present only if the request has this field."),
    sequenceNumber: z
      .string()
      .nullable()
      .describe("The sequence number of the request, not the one that was stored."),
    subSequenceNumber: z.int().nullable().describe("The sub-sequence number of the request."),
    error: z
      .string()
      .nullable()
      .describe("null if the checkpoint is accepted, or the name of the error."),
  })
  .describe("The response to a checkpoint. It is the next message that the child receives.");

export const shutdownMessage = z
  .object({
    action: z.literal("shutdown"),
    reason: z.enum(["TERMINATE", "ZOMBIE"]).describe("The shard has ended, or the lease is lost."),
  })
  .describe("In the dialect of KCL 1.x, replaces shardEnded and leaseLost.");

const bare = <Name extends string>(action: Name, description: string) =>
  z.object({ action: z.literal(action) }).describe(description);

export const daemonMessage = z.discriminatedUnion("action", [
  initializeMessage,
  processRecordsMessage,
  checkpointAnswerMessage,
  bare("leaseLost", "The worker no longer holds the shard. The child cannot checkpoint any more."),
  bare(
    "shardEnded",
    "All records were delivered. The child must checkpoint, then send its status.",
  ),
  bare("shutdownRequested", "No batch follows. The child can checkpoint for the last time."),
  shutdownMessage,
]);

export type DaemonMessage = z.infer<typeof daemonMessage>;

/** The messages that a child answers with a status, by their names in KCL 2.x: see dialect.ts. */
export type Action = Exclude<DaemonMessage["action"], "checkpoint" | "shutdown">;

// ---- from the child to the daemon ---------------------------------------------------------------

export const statusMessage = z
  .looseObject({
    action: z.literal("status"),
    responseFor: z.string().describe("The name of the action that is done, exactly as received."),
  })
  .describe("The answer to an action. The child sends exactly one for each action.");

export const checkpointMessage = z
  .looseObject({
    action: z.literal("checkpoint"),
    sequenceNumber: z
      .string()
      .nullable()
      .optional()
      .describe("The last record that is done; null or absent for all delivered records."),
    subSequenceNumber: z
      .int()
      .nullable()
      .optional()
      .describe("The position of that record in a KPL aggregate; null or absent for 0."),
    checkpoint: z
      .string()
      .nullable()
      .optional()
      .describe("The name of the sequence number in KCL before 1.7.2. Do not use it otherwise."),
  })
  .describe(
    "Requests to store how far the records are done. Read the response before you write again.",
  );

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

export const logMessage = z
  .looseObject({
    action: z.literal("log"),
    level: z.enum(LOG_LEVELS).optional().describe("Absent: info."),
    message: z.string(),
  })
  .describe(
    "An extension: a message for the daemon's log. It may come at any time and gets no response.",
  );

export const childMessage = z.discriminatedUnion("action", [
  statusMessage,
  checkpointMessage,
  logMessage,
]);

export type ChildMessage = z.infer<typeof childMessage>;

// ---- lines --------------------------------------------------------------------------------------

/** A message as one line. The keys keep the order of the object. */
export function toLine(message: DaemonMessage): Buffer {
  return Buffer.from(`${escapeSeparators(JSON.stringify(message))}\n`);
}

export function initializeLine(shardId: string, position: Position): Buffer {
  const { sequenceNumber, subSequenceNumber } = position;
  return toLine({ action: "initialize", shardId, sequenceNumber, subSequenceNumber });
}

const RECORDS_BEFORE = Buffer.from('{"action":"processRecords","records":[');

/** A batch as the pieces of one line. The records are not copied. */
export function processRecordsLine(
  records: RecordBatch,
  millisBehindLatest: number | undefined,
): readonly Buffer[] {
  const after = `],"millisBehindLatest":${millisBehindLatest ?? null}}\n`;
  return [RECORDS_BEFORE, ...records.pieces, Buffer.from(after)];
}
