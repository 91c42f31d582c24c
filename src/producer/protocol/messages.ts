// The messages between a client and the producer, declared once. The schemas are published as JSON
// Schemas. protocol/producer.md specifies what they mean.

import { z } from "zod";

export const PRODUCER_PROTOCOL_VERSION = 1;

/** Longer than the base64 of the largest record (10 MiB), its key and its names. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

const id = z.union([z.string(), z.int().nonnegative()]).describe("Chosen by the client.");

/** What a client calls a record or a question. */
export type MessageId = z.infer<typeof id>;

// ---- from the client to the producer ------------------------------------------------------------

const startMessage = z
  .object({
    action: z.literal("start"),
    protocolVersion: z.literal(PRODUCER_PROTOCOL_VERSION).optional(),
    client: z.string().optional().describe("Name and version of the client, for the log."),
    credit: z.boolean().optional().describe("Whether the producer writes credit lines."),
  })
  .describe("Optional, before the first put.");

const record = {
  partitionKey: z.string().describe("1 to 256 UTF-16 units."),
  explicitHashKey: z.string().optional().describe("A decimal integer from 0 to 2^128-1."),
  data: z.string().optional().describe("The payload in base64: standard alphabet, padded."),
  text: z.string().optional().describe("The payload as text, stored as UTF-8."),
  json: z.unknown().optional().describe("The payload as JSON, stored as compact UTF-8."),
};

const putMessage = z
  .object({
    action: z.literal("put"),
    id: id.optional().describe("Repeated in the result. Without it, only a failure is reported."),
    stream: z.string().optional().describe("Optional if the producer has a stream."),
    ...record,
  })
  .describe("One record, with exactly one of data, text and json.");

const flushMessage = z
  .object({
    action: z.literal("flush"),
    id: id.optional(),
    timeoutMs: z.int().nonnegative().optional().describe("Answer at the latest after this time."),
  })
  .describe("Send everything that was put before this line.");

const metricsMessage = z
  .object({
    action: z.literal("metrics"),
    id: id.optional(),
    name: z.string().optional().describe("Only this metric."),
    windowSeconds: z.int().min(1).max(60).optional().describe("Only the last seconds."),
  })
  .describe("Ask for figures.");

export const clientMessage = z.discriminatedUnion("action", [
  startMessage,
  putMessage,
  flushMessage,
  metricsMessage,
]);

export type ClientMessage = z.infer<typeof clientMessage>;

// ---- from the producer to the client ------------------------------------------------------------

const readyMessage = z
  .object({
    action: z.literal("ready"),
    protocolVersion: z.literal(PRODUCER_PROTOCOL_VERSION),
    stream: z.string().nullable().describe("The stream of a put without one."),
    maxRecordBytes: z.int().describe("Largest record known so far: data and partition key."),
    maxInFlightBytes: z.int().describe("The first credit."),
    spill: z.boolean().describe("Whether accepted records are kept on disk."),
  })
  .describe("The first line.");

export const attempt = z.object({
  delay: z.int().describe("Milliseconds from the end of the attempt before, or from the put."),
  duration: z.int().describe("Milliseconds from the request to its response."),
  success: z.boolean(),
  errorCode: z.string().optional(),
  errorMessage: z.string().optional(),
  maybeStored: z.literal(true).optional().describe("The outcome is unknown."),
});

const storedMessage = z
  .object({
    action: z.literal("result"),
    id,
    shardId: z.string(),
    sequenceNumber: z.string().describe("Decimal digits. Shared by all records of one aggregate."),
    subSequenceNumber: z.int().nonnegative().describe("Position in the aggregate, or 0."),
    attempts: z.array(attempt),
  })
  .describe("The record is stored.");

const failedMessage = z
  .object({
    action: z.literal("result"),
    id: id.nullable(),
    line: z.int().positive().optional().describe("Present if id is null."),
    error: z.string(),
    message: z.string(),
    attempts: z.array(attempt),
  })
  .describe("The record is not stored, and will not be.");

const answered = id.nullable().describe("The id of the question, or null.");

const creditMessage = z
  .object({ action: z.literal("credit"), bytes: z.int().positive() })
  .describe("So many bytes of lines may be written beyond those before.");

export const figure = z.object({
  name: z.string(),
  dimensions: z.record(z.string(), z.string()),
  sum: z.number(),
  sampleCount: z.number(),
  min: z.number(),
  max: z.number(),
});

export const producerMessage = z.union([
  readyMessage,
  storedMessage,
  failedMessage,
  z
    .object({ action: z.literal("accepted"), id: answered })
    .describe("The record is on disk, and survives a crash."),
  creditMessage,
  z
    .object({
      action: z.literal("flushed"),
      id: answered,
      notStored: z.int().nonnegative().describe("Records without a result."),
    })
    .describe("The answer to flush."),
  z
    .object({ action: z.literal("metrics"), id: answered, metrics: z.array(figure) })
    .describe("The answer to metrics."),
  z
    .object({
      action: z.literal("error"),
      line: z.int().positive(),
      error: z.literal("InvalidMessage"),
      message: z.string(),
    })
    .describe("A line that is not a message. The producer continues with the next one."),
  z
    .object({
      action: z.literal("closed"),
      stored: z.int().nonnegative(),
      failed: z.int().nonnegative(),
      notStored: z.int().nonnegative().describe("Records without a result."),
    })
    .describe("The last line."),
]);

export type ProducerMessage = z.infer<typeof producerMessage>;
