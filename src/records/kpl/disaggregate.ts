// Splits KPL aggregates into their user records (format.ts describes the format). It decides as the
// Java daemon does whether a payload is an aggregate at all, whether it belongs to this shard, and
// how much of a malformed aggregate is delivered.

import { hash } from "node:crypto";
import type { RecordBatch } from "../../model/batch.ts";
import type { HashKeyRange } from "../../model/shard.ts";
import { BatchWriter } from "../batchWriter.ts";
import { ByteSource, type TextPiece } from "../byteSource.ts";
import { AGGREGATE, DIGEST_BYTES, MAGIC, RECORD, TAG } from "./format.ts";
import { HashRange } from "./hashRange.ts";
import { KeyTable } from "./keyTable.ts";
import { LENGTH_DELIMITED, MalformedMessage, MessageReader, VARINT } from "./protobuf.ts";
/**
 * Writes the user records of an aggregate.
 *
 * @param payload begins with the magic number.
 * @returns false, and writes nothing, when the payload is not an aggregate.
 */
export type Disaggregate = (
  payload: Buffer,
  sequenceNumber: TextPiece,
  arrivalMs: number,
  writer: BatchWriter,
) => boolean;

/**
 * A record inside an aggregate is malformed: the records before it are delivered, the rest is not.
 */
export type OnMalformed = (fault: {
  readonly sequenceNumber: string;
  readonly reason: string;
  readonly delivered: number;
}) => void;

/** Receives all records of an aggregate that belongs to another shard. */
export type OnMisplaced = (records: RecordBatch) => void;

/**
 * @param range the shard's hash keys. An aggregate with any record outside them belongs to another
 *   shard, and none of its records is delivered. Absent: nothing is checked.
 */
export function disaggregator(
  range: HashKeyRange | undefined,
  onMalformed: OnMalformed,
  onMisplaced: OnMisplaced,
): Disaggregate {
  const hashes = new HashRange(range);
  const anyHash = new HashRange(undefined);
  return (payload, sequenceNumber, arrivalMs, writer) => {
    const aggregate = parseAggregate(payload);
    if (!aggregate) return false;
    const before = writer.count;
    const outcome = write(aggregate, sequenceNumber, arrivalMs, writer, hashes);
    if (outcome === "misplaced") {
      writer.truncate(before);
      const all = new BatchWriter(payload.length * 2);
      write(aggregate, sequenceNumber, arrivalMs, all, anyHash);
      onMisplaced(all.finish());
    } else if (outcome !== "written") {
      onMalformed({
        sequenceNumber: sequenceNumber.toString(),
        reason: outcome.fault,
        delivered: writer.count - before,
      });
    }
    return true;
  };
}

/**
 * An aggregate as offsets into its bytes, in flat arrays: objects for each record would cost more.
 */
interface Aggregate {
  readonly bytes: Buffer;
  /** The start and end of each key. */
  readonly partitionKeys: readonly number[];
  readonly explicitHashKeys: readonly number[];
  /**
   * Per record: index of its partition key, index of its hash key or -1, start and end of its data.
   */
  readonly records: readonly number[];
}

const RECORD_SIZE = 4;

/** `undefined` when the payload is too short, its digest differs, or its message is invalid. */
function parseAggregate(bytes: Buffer): Aggregate | undefined {
  const end = bytes.length - DIGEST_BYTES;
  if (end <= MAGIC.length) return undefined;
  const digest = hash("md5", bytes.subarray(MAGIC.length, end), "binary");
  if (digest !== bytes.toString("latin1", end)) return undefined;
  try {
    return parseMessage(bytes, end);
  } catch (error) {
    if (error instanceof MalformedMessage) return undefined;
    throw error;
  }
}

function parseMessage(bytes: Buffer, messageEnd: number): Aggregate {
  const partitionKeys: number[] = [];
  const explicitHashKeys: number[] = [];
  const records: number[] = [];
  const message = new MessageReader(bytes, MAGIC.length, messageEnd);
  const inner = new MessageReader(bytes, 0, 0);
  const tag = new MessageReader(bytes, 0, 0);
  while (message.next()) {
    // To Protocol Buffers, a known field number with another wire type is an unknown field.
    if (message.wireType !== LENGTH_DELIMITED) continue;
    const { field, start, end } = message;
    if (field === AGGREGATE.partitionKey) partitionKeys.push(start, end);
    else if (field === AGGREGATE.explicitHashKey) explicitHashKeys.push(start, end);
    else if (field === AGGREGATE.record) {
      inner.reset(start, end);
      parseRecord(inner, tag, records);
    }
  }
  return { bytes, partitionKeys, explicitHashKeys, records };
}

function parseRecord(record: MessageReader, tag: MessageReader, records: number[]): void {
  let partitionKey = -1;
  let explicitHashKey = -1;
  let dataStart = -1;
  let dataEnd = -1;
  while (record.next()) {
    const { field, wireType } = record;
    if (wireType === VARINT) {
      if (field === RECORD.partitionKeyIndex) partitionKey = record.value;
      else if (field === RECORD.explicitHashKeyIndex) explicitHashKey = record.value;
    } else if (wireType === LENGTH_DELIMITED) {
      if (field === RECORD.data) {
        dataStart = record.start;
        dataEnd = record.end;
      } else if (field === RECORD.tag) {
        tag.reset(record.start, record.end);
        checkTag(tag);
      }
    }
  }
  if (partitionKey < 0 || dataStart < 0) throw new MalformedMessage("a required field is missing");
  records.push(partitionKey, explicitHashKey, dataStart, dataEnd);
}

function checkTag(tag: MessageReader): void {
  let hasKey = false;
  while (tag.next()) if (tag.field === TAG.key && tag.wireType === LENGTH_DELIMITED) hasKey = true;
  if (!hasKey) throw new MalformedMessage("a required field is missing");
}

type Outcome = "written" | "misplaced" | { readonly fault: string };

function write(
  { bytes, partitionKeys, explicitHashKeys, records }: Aggregate,
  sequenceNumber: TextPiece,
  arrivalMs: number,
  writer: BatchWriter,
  hashes: HashRange,
): Outcome {
  const keys = new KeyTable(new ByteSource(bytes), partitionKeys, hashes);
  for (let at = 0, sub = 0; at < records.length; at += RECORD_SIZE, sub += 1) {
    const keyIndex = records[at] ?? 0;
    if (!keys.has(keyIndex)) return { fault: `record ${sub} has no partition key` };
    const hashIndex = records[at + 1] ?? -1;
    if (hashIndex < 0) {
      if (!keys.isHeld(keyIndex)) return "misplaced";
    } else {
      const hashKey = integerAt(bytes, explicitHashKeys, hashIndex);
      if (hashKey === undefined) {
        return { fault: `record ${sub} has no usable explicit hash key` };
      }
      if (!hashes.holdsHashKey(hashKey)) return "misplaced";
    }
    writer.rawData(bytes, records[at + 2] ?? 0, records[at + 3] ?? 0);
    writer.close(keys.inJson(keyIndex), sequenceNumber, arrivalMs, sub);
  }
  return "written";
}

function integerAt(bytes: Buffer, places: readonly number[], index: number): bigint | undefined {
  const start = places[2 * index];
  if (start === undefined) return undefined;
  const text = bytes.toString("utf8", start, places[2 * index + 1]);
  return /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^\+/, "")) : undefined;
}
