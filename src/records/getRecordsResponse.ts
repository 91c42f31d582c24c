// Converts a GetRecords response, or an event of a subscription, from the service's JSON to the
// JSON that a child reads, in one pass over the bytes.
//
// Why JSON, although Kinesis offers CBOR, too: a child expects base64 in JSON. A JSON response
// contains that already, so a payload is found by its closing quote and copied. A CBOR response is
// a quarter shorter, but its payloads must be encoded. CPU time per record from the socket to the
// batch, in µs, on Node 20 over loopback, with Node's own HTTP client:
//
//            JSON   CBOR        JSON.parse and JSON.stringify
//   100 B    0.9    0.5         3
//   1 KiB    3.8    3.2         14
//   25 KiB   66     59          270
//
// CBOR would save 0.4 to 0.6 µs of the 2 to 6 µs that a small record costs until a child has it. It
// would need a second parser, a second format of errors, and emulators and proxies that understand
// it. That is not worth the saving.

import { RecordBatch } from "../model/batch.ts";
import { isSequenceNumber, type SequenceNumber } from "../model/position.ts";
import type { ChildShard } from "../model/shard.ts";
import { BatchWriter } from "./batchWriter.ts";
import { childShards } from "./childShards.ts";
import { nullOnly } from "./invalidResponse.ts";
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  JsonCursor,
  OPEN_ARRAY,
  OPEN_OBJECT,
} from "./jsonCursor.ts";
import type { Disaggregate } from "./kpl/disaggregate.ts";
import { RecordReader } from "./recordReader.ts";

export interface GetRecordsResponse {
  readonly records: RecordBatch;
  /** The number of records that Kinesis sent. An aggregate counts as one. */
  readonly received: number;
  /** The size of their payloads and partition keys, which is what the limits of Kinesis count. */
  readonly payloadBytes: number;
  /** The last record that Kinesis sent, even if it is an aggregate that yields no records. */
  readonly lastSequenceNumber: SequenceNumber | undefined;
  /** Absent at the end of the shard. */
  readonly nextShardIterator: string | undefined;
  readonly millisBehindLatest: number | undefined;
  /** Present at the end of the shard, unless the service omits it. */
  readonly childShards: readonly ChildShard[] | undefined;
}

/** One event of a subscription: like a response, but with a position instead of an iterator. */
export interface SubscriptionEvent extends Omit<GetRecordsResponse, "nextShardIterator"> {
  /**
   * The next subscription starts after this position. It advances in events without records, too.
   * Absent at the end of the shard.
   */
  readonly continuationSequenceNumber: string | undefined;
}

/**
 * @param disaggregate absent: aggregates stay plain records.
 * @throws InvalidResponse when the body is invalid JSON, or a record has no sequence number.
 */
export function readGetRecordsResponse(
  body: Buffer,
  disaggregate?: Disaggregate,
): GetRecordsResponse {
  const { next, ...response } = readResponse(body, "NextShardIterator", disaggregate);
  return { ...response, nextShardIterator: next };
}

/** Like `readGetRecordsResponse`. */
export function readSubscriptionEvent(
  payload: Buffer,
  disaggregate?: Disaggregate,
): SubscriptionEvent {
  const { next, ...event } = readResponse(payload, "ContinuationSequenceNumber", disaggregate);
  return { ...event, continuationSequenceNumber: next };
}

type AnyResponse = Omit<GetRecordsResponse, "nextShardIterator"> & {
  readonly next: string | undefined;
};

/** @param nextName the name of the field that says where to continue. */
function readResponse(
  body: Buffer,
  nextName: string,
  disaggregate: Disaggregate | undefined,
): AnyResponse {
  const json = new JsonCursor(body);
  let records = NO_RECORDS;
  let next: string | undefined;
  let millisBehindLatest: number | undefined;
  let children: readonly ChildShard[] | undefined;
  let more = json.open(OPEN_OBJECT, CLOSE_OBJECT);
  while (more) {
    json.string();
    const name = json.text();
    json.expect(COLON);
    if (name === "Records") records = readRecords(json, disaggregate);
    else if (name === nextName) next = stringOrNothing(json.value(), name);
    else if (name === "MillisBehindLatest")
      millisBehindLatest = numberOrNothing(json.value(), name);
    else if (name === "ChildShards") children = childShards(json.value());
    else json.ignore();
    more = json.more(CLOSE_OBJECT);
  }
  json.finish();
  return { ...records, next, millisBehindLatest, childShards: children };
}

type Records = Pick<
  GetRecordsResponse,
  "records" | "received" | "payloadBytes" | "lastSequenceNumber"
>;

const NO_RECORDS: Records = {
  records: RecordBatch.empty,
  received: 0,
  payloadBytes: 0,
  lastSequenceNumber: undefined,
};

function readRecords(json: JsonCursor, disaggregate: Disaggregate | undefined): Records {
  if (json.peek() !== OPEN_ARRAY) {
    nullOnly(json.value(), "Records");
    return NO_RECORDS;
  }
  if (!json.open(OPEN_ARRAY, CLOSE_ARRAY)) return NO_RECORDS;
  const record = new RecordReader(json);
  const start = json.pos;
  record.read();
  const writer = new BatchWriter(sizeOfAll(json.bytes.length, json.pos - start));
  let received = 0;
  let payloadBytes = 0;
  for (;;) {
    received += 1;
    payloadBytes += record.data.length * BYTES_PER_BASE64 + record.partitionKey.length;
    write(record, writer, disaggregate);
    if (!json.more(CLOSE_ARRAY)) break;
    record.read();
  }
  const last = record.sequenceNumber.toString();
  const lastSequenceNumber = isSequenceNumber(last) ? last : undefined;
  return { records: writer.finish(), received, payloadBytes, lastSequenceNumber };
}

function write(
  { data, partitionKey, sequenceNumber, arrivalMs, mayBeAggregate }: RecordReader,
  writer: BatchWriter,
  disaggregate: Disaggregate | undefined,
): void {
  if (mayBeAggregate && disaggregate) {
    const bytes = Buffer.from(data.toString(), "base64");
    if (disaggregate(bytes, sequenceNumber, arrivalMs, writer)) return;
  }
  writer.data(data);
  writer.close(partitionKey, sequenceNumber, arrivalMs, 0);
}

/** Payload bytes per base64 character. */
const BYTES_PER_BASE64 = 0.75;

/** The expected size of all records as a child reads them, if all are as long as the first one. */
function sizeOfAll(bodyBytes: number, firstRecordBytes: number): number {
  return Math.ceil(bodyBytes * (1 + GAIN_BYTES / firstRecordBytes)) + 1024;
}

/** Our JSON of a record is longer: it adds `subSequenceNumber` and `action`. With a margin. */
const GAIN_BYTES = 50;

function stringOrNothing(value: unknown, name: string): string | undefined {
  if (typeof value === "string") return value;
  nullOnly(value, name);
  return undefined;
}

function numberOrNothing(value: unknown, name: string): number | undefined {
  if (typeof value === "number") return value;
  nullOnly(value, name);
  return undefined;
}
