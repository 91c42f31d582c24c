// What a record must be, before it is taken. The bounds are the KPL's and the service's.

import { parseHashKey } from "../records/kpl/hashKey.ts";
import type { UserRecord } from "./record.ts";

/** In UTF-16 units, as in the service's API. */
const MAX_KEY_LENGTH = 256;
/** The largest record that a stream can be configured to accept. */
const MAX_RECORD_BYTES = 10 * 1024 * 1024;

/** A record that cannot be taken. */
export interface Invalid {
  readonly errorCode: "InvalidRecord" | "RecordTooLarge";
  readonly message: string;
}

export interface RecordLimits {
  readonly streamName: string;
  /** Payload and partition key, as far as the stream's limit is known. */
  readonly maxRecordBytes: number;
  readonly maxUserRecordSize?: number | undefined;
}

/** @returns why the record cannot be taken; `undefined` if it can. */
export function problemOf(record: UserRecord, limits: RecordLimits): Invalid | undefined {
  const { data, partitionKey, explicitHashKey } = record;
  const { length } = partitionKey;
  if (length < 1 || length > MAX_KEY_LENGTH) {
    return invalid(
      `the partition key has ${length} characters; allowed: 1 to ${MAX_KEY_LENGTH} UTF-16 units`,
    );
  }
  if (explicitHashKey !== undefined && parseHashKey(explicitHashKey) === undefined) {
    return invalid(
      `the explicit hash key is ${JSON.stringify(explicitHashKey)}; allowed: a decimal integer from 0 to 2^128-1`,
    );
  }
  const { streamName, maxRecordBytes, maxUserRecordSize } = limits;
  if (maxUserRecordSize !== undefined && data.byteLength > maxUserRecordSize) {
    return tooLarge(
      `the payload has ${data.byteLength} bytes, and maxUserRecordSize is ${maxUserRecordSize}; make the record smaller, or raise it`,
    );
  }
  const bytes = data.byteLength + Buffer.byteLength(partitionKey);
  if (bytes <= maxRecordBytes) return undefined;
  return tooLarge(
    `the record has ${bytes} bytes with its partition key, and stream ${streamName} accepts ${maxRecordBytes}; make the record smaller, or raise the limit to at most ${MAX_RECORD_BYTES}: aws kinesis update-max-record-size`,
  );
}

function invalid(message: string): Invalid {
  return { errorCode: "InvalidRecord", message };
}

function tooLarge(message: string): Invalid {
  return { errorCode: "RecordTooLarge", message };
}
