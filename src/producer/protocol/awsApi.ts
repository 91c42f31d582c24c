// The AWS API of PutRecords and PutRecord, as an SDK speaks it: an SDK can use the producer as its
// endpoint.

import { isStored, type Outcome } from "../record.ts";
import { type ReadPut, readPut } from "./readPut.ts";

export type Operation = "PutRecord" | "PutRecords";

export interface AwsPut {
  readonly streamName: string;
  readonly records: readonly (ReadPut["record"] | string)[];
}

const STREAM_IN_ARN = /^arn:aws[a-z-]*:kinesis:[^:]*:\d*:stream\/(.+)$/;
const MAX_RECORDS = 500;

/** @returns the records, or why the request cannot be read. */
export function readAwsPut(operation: Operation, body: unknown, inPath?: string): AwsPut | string {
  if (typeof body !== "object" || body === null) return "the body is not a JSON object";
  const { StreamName, StreamARN, Records } = body as Readonly<Record<string, unknown>>;
  const inArn = STREAM_IN_ARN.exec(String(StreamARN ?? ""))?.[1];
  const streamName = inPath ?? inArn ?? StreamName;
  if (typeof streamName !== "string") return "the request names no stream";
  const entries = operation === "PutRecord" ? [body] : Records;
  if (!Array.isArray(entries) || entries.length < 1 || entries.length > MAX_RECORDS) {
    return `Records is not a list of 1 to ${MAX_RECORDS} records`;
  }
  return { streamName, records: entries.map(recordOf) };
}

function recordOf(entry: unknown): ReadPut["record"] | string {
  if (typeof entry !== "object" || entry === null) return "the record is not a JSON object";
  const { Data, PartitionKey, ExplicitHashKey } = entry as Readonly<Record<string, unknown>>;
  const read = readPut({
    data: Data,
    partitionKey: PartitionKey,
    explicitHashKey: ExplicitHashKey ?? undefined,
  });
  return typeof read === "string" ? read : read.record;
}

export interface AwsAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export function awsAnswer(operation: Operation, outcomes: readonly Outcome[]): AwsAnswer {
  const [only] = outcomes;
  if (operation === "PutRecord" && only && !isStored(only)) {
    return { status: 400, body: { __type: awsName(only.errorCode), message: only.message } };
  }
  const results = outcomes.map((outcome) =>
    isStored(outcome)
      ? { SequenceNumber: outcome.sequenceNumber, ShardId: outcome.shardId }
      : { ErrorCode: awsName(outcome.errorCode), ErrorMessage: outcome.message },
  );
  if (operation === "PutRecord") return { status: 200, body: results[0] ?? {} };
  const FailedRecordCount = outcomes.filter((outcome) => !isStored(outcome)).length;
  return { status: 200, body: { FailedRecordCount, Records: results } };
}

/** Our own codes, under names that an SDK does not retry. */
function awsName(errorCode: string): string {
  return ["InvalidRecord", "RecordTooLarge"].includes(errorCode)
    ? "ValidationException"
    : errorCode;
}
