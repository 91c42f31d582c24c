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
    shardId: z.string().describe("Id of the shard that this process will be given."),
    sequenceNumber: z
      .string()
      .nullable()
      .describe("Stored checkpoint: decimal digits, or TRIM_HORIZON, LATEST or AT_TIMESTAMP."),
    subSequenceNumber: z.int().nullable().describe("Sub-sequence number of the checkpoint, or 0."),
  })
  .describe("The first message: which shard, and where it was last checkpointed.");

export const recordMessage = z
  .object({
    data: z.base64().nullable().describe("The payload: standard alphabet, padded, one line."),
    partitionKey: z.string().nullable(),
    sequenceNumber: z.string().nullable().describe("Shared by all records of one KPL aggregate."),
    approximateArrivalTimestamp: z.int().nullable().describe("Milliseconds since 1970."),
    subSequenceNumber: z.int().nonnegative().describe("Place in a KPL aggregate, or 0."),
    action: z.literal("record"),
  })
  .describe("One record of a batch. Clients rely on its action.");

export const processRecordsMessage = z
  .object({
    action: z.literal("processRecords"),
    records: z.array(recordMessage),
    millisBehindLatest: z.int().nullable().describe("How far the shard's tip is ahead."),
  })
  .describe("A batch of records, in order.");

export const checkpointAnswerMessage = z
  .object({
    action: z.literal("checkpoint"),
    checkpoint: z
      .string()
      .nullable()
      .optional()
      .describe("The sequence number, if that is what the request called it."),
    sequenceNumber: z.string().nullable().describe("As it was asked for, not as it was stored."),
    subSequenceNumber: z.int().nullable().describe("As it was asked for."),
    error: z.string().nullable().describe("null when stored, or the name of what went wrong."),
  })
  .describe("The answer to a checkpoint, before anything else is said.");

export const shutdownMessage = z
  .object({
    action: z.literal("shutdown"),
    reason: z.enum(["TERMINATE", "ZOMBIE"]).describe("The shard ended, or the lease is lost."),
  })
  .describe("KCL 1.x only, in place of shardEnded and leaseLost.");

const bare = <Name extends string>(action: Name, description: string) =>
  z.object({ action: z.literal(action) }).describe(description);

export const daemonMessage = z.discriminatedUnion("action", [
  initializeMessage,
  processRecordsMessage,
  checkpointAnswerMessage,
  bare("leaseLost", "The shard belongs to another worker now: no more checkpoints."),
  bare("shardEnded", "All records of the shard were delivered: checkpoint, then answer."),
  bare("shutdownRequested", "The worker stops soon: the last chance to checkpoint."),
  shutdownMessage,
]);

export type DaemonMessage = z.infer<typeof daemonMessage>;

/** The messages that a child answers with a status, by their names in KCL 2.x: see dialect.ts. */
export type Action = Exclude<DaemonMessage["action"], "checkpoint" | "shutdown">;

// ---- from the child to the daemon ---------------------------------------------------------------

export const statusMessage = z
  .looseObject({
    action: z.literal("status"),
    responseFor: z.string().describe("The action that is done, exactly as it was received."),
  })
  .describe("The answer to an action; exactly one for each.");

export const checkpointMessage = z
  .looseObject({
    action: z.literal("checkpoint"),
    sequenceNumber: z
      .string()
      .nullable()
      .optional()
      .describe("Where to; null or absent for the end of what was delivered."),
    subSequenceNumber: z.int().nullable().optional().describe("0 when absent."),
    checkpoint: z
      .string()
      .nullable()
      .optional()
      .describe("What KCL before 1.7.2 called the sequence number. Write it for KCL 1.x alone."),
  })
  .describe("Asks to store how far the records are done. Read the answer before saying more.");

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

export const logMessage = z
  .looseObject({
    action: z.literal("log"),
    level: z.enum(LOG_LEVELS).optional().describe("info when absent."),
    message: z.string(),
  })
  .describe(
    "An extension: a line for the daemon's log. It has no answer and may come at any time.",
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
  return [RECORDS_BEFORE, records.json, Buffer.from(after)];
}
