// Takes the aggregates of the Kinesis Producer Library apart: F3 89 9A C2, a protobuf message with many records, and
// the message's MD5. Anything that only looks like one is a plain record, as for the Java daemon.

import { hash } from "node:crypto";
import type { RecordBatch } from "../model/batch.ts";
import type { HashKeyRange } from "../model/shard.ts";
import { BatchWriter } from "./batchWriter.ts";
import { ByteSource } from "./byteSource.ts";
import { HashRange } from "./hashRange.ts";
import { KeyTable } from "./keyTable.ts";
import { LENGTH_DELIMITED, MalformedMessage, MessageReader, VARINT } from "./protobuf.ts";
import type { TextPiece } from "./textPiece.ts";

const MAGIC_BYTES = 4;
const DIGEST_BYTES = 16;

/**
 * Takes an aggregate apart and writes its records.
 *
 * @returns false when the payload turns out to be no aggregate: nothing was written then.
 */
export type Disaggregate = (
  payload: Buffer,
  sequenceNumber: TextPiece,
  arrivalMs: number,
  writer: BatchWriter,
) => boolean;

/** Something is wrong inside an aggregate: what came before it is delivered, the rest is not. As in the Java daemon. */
export type OnMalformed = (fault: {
  readonly sequenceNumber: string;
  readonly reason: string;
  readonly delivered: number;
}) => void;

/** An aggregate that yields nothing because of its hash keys; all records that are in it. */
export type OnMisplaced = (records: RecordBatch) => void;

/** @param range the shard's; an aggregate with any record outside it belongs to another shard and yields nothing. */
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

/** An aggregate as places in its bytes: flat lists of numbers, since there are many and they live shortly. */
interface Aggregate {
  readonly bytes: Buffer;
  /** Start and end of each key. */
  readonly partitionKeys: readonly number[];
  readonly explicitHashKeys: readonly number[];
  /** For each record: index of its partition key, index of its hash key or -1, start and end of its data. */
  readonly records: readonly number[];
}

const RECORD_SIZE = 4;

/** `undefined` when it is none: too short, another digest, or no such message. The magic was seen already. */
function parseAggregate(bytes: Buffer): Aggregate | undefined {
  const end = bytes.length - DIGEST_BYTES;
  if (end <= MAGIC_BYTES) return undefined;
  const digest = hash("md5", bytes.subarray(MAGIC_BYTES, end), "binary");
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
  const message = new MessageReader(bytes, MAGIC_BYTES, messageEnd);
  const inner = new MessageReader(bytes, 0, 0);
  const tag = new MessageReader(bytes, 0, 0);
  while (message.next()) {
    // A known number with another wire type is an unknown field.
    if (message.wireType !== LENGTH_DELIMITED) continue;
    const { field, start, end } = message;
    if (field === 1) partitionKeys.push(start, end);
    else if (field === 2) explicitHashKeys.push(start, end);
    else if (field === 3) {
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
      if (field === 1) partitionKey = record.value;
      else if (field === 2) explicitHashKey = record.value;
    } else if (wireType === LENGTH_DELIMITED) {
      if (field === 3) {
        dataStart = record.start;
        dataEnd = record.end;
      } else if (field === 4) {
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
  while (tag.next()) if (tag.field === 1 && tag.wireType === LENGTH_DELIMITED) hasKey = true;
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
