// A GetRecords answer or an event of a subscription, from the service's JSON to records as the child reads them, in one pass over the bytes.
//
// Why JSON and not CBOR, which the service speaks too: a child wants base64 in JSON, and that is what the JSON answer
// holds already, so a payload is found by its closing quote and copied. CBOR is a quarter shorter, but must be encoded.
// Measured from loopback socket to batch, on Node 20 (µs of CPU per record, with Node's own HTTP client, of which both had the same):
//
//            JSON   CBOR        JSON parsed and written again (the obvious way)
//   100 B    0.9    0.5         3
//   1 KiB    3.8    3.2         14
//   25 KiB   66     59          270
//
// So CBOR would save 0.4 to 0.6 µs of the 2 to 6 that a small record costs until a child has it. For that it would take a
// second reader, errors in a second form, and emulators and proxies that understand it: not yet worth it.

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
import type { Disaggregate } from "./kplAggregate.ts";
import { RecordReader } from "./recordReader.ts";

export interface GetRecordsAnswer {
  readonly records: RecordBatch;
  /** How many records the service sent, an aggregate counted as one. */
  readonly received: number;
  /** Their payloads and partition keys, as the service counts them for its limits. */
  readonly payloadBytes: number;
  /** The last record that the service sent, whatever became of it when its aggregate was taken apart. */
  readonly lastSequenceNumber: SequenceNumber | undefined;
  /** Absent at the end of the shard. */
  readonly nextShardIterator: string | undefined;
  readonly millisBehindLatest: number | undefined;
  /** Present at the end of the shard; absent when the service does not say. */
  readonly childShards: readonly ChildShard[] | undefined;
}

/** What a subscription brings at a time: the same, but what comes next is a place, not an iterator. */
export interface SubscriptionEvent extends Omit<GetRecordsAnswer, "nextShardIterator"> {
  /** The next subscription begins after it; it moves on in events without records, too. Absent at the end of the shard. */
  readonly continuationSequenceNumber: string | undefined;
}

/** @throws InvalidResponse when the body is not JSON, or a record has no sequence number. */
export function readGetRecordsAnswer(body: Buffer, disaggregate?: Disaggregate): GetRecordsAnswer {
  const { next, ...answer } = readAnswer(body, "NextShardIterator", disaggregate);
  return { ...answer, nextShardIterator: next };
}

/** @throws as `readGetRecordsAnswer`. */
export function readSubscriptionEvent(
  payload: Buffer,
  disaggregate?: Disaggregate,
): SubscriptionEvent {
  const { next, ...event } = readAnswer(payload, "ContinuationSequenceNumber", disaggregate);
  return { ...event, continuationSequenceNumber: next };
}

type Answer = Omit<GetRecordsAnswer, "nextShardIterator"> & { readonly next: string | undefined };

/** @param nextName under which the answer says where it goes on. */
function readAnswer(
  body: Buffer,
  nextName: string,
  disaggregate: Disaggregate | undefined,
): Answer {
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
  GetRecordsAnswer,
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

const BYTES_PER_BASE64 = 0.75;

/** What all records come to, if each gains what a record gains from the service's usual form to ours. */
function sizeOfAll(bodyBytes: number, firstRecordBytes: number): number {
  return Math.ceil(bodyBytes * (1 + GAIN_BYTES / firstRecordBytes)) + 1024;
}

/** `subSequenceNumber` and `action`, and a little more. */
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
