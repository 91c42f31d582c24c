// Takes the aggregates of the Kinesis Producer Library apart: F3 89 9A C2, a protobuf message with many records, and
// the message's MD5. Anything that only looks like one is a plain record, as for the Java daemon.

import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import type { HashKeyRange } from "../model/shard.ts";
import type { BatchWriter } from "./batchWriter.ts";
import { ByteSource, sourceOf } from "./byteSource.ts";
import type { Disaggregate } from "./getRecordsAnswer.ts";
import { type HashRange, hashRange } from "./hashRange.ts";
import { quoteForLines } from "./jsonCursor.ts";
import { LENGTH_DELIMITED, MalformedMessage, MessageReader, VARINT } from "./protobuf.ts";

const MAGIC_BYTES = 4;
const DIGEST_BYTES = 16;

/** Something is wrong inside an aggregate: what came before it is delivered, the rest is not. As in the Java daemon. */
export type OnMalformed = (fault: {
  readonly sequenceNumber: string;
  readonly reason: string;
  readonly delivered: number;
}) => void;

/** @param range the shard's; an aggregate with any record outside it belongs to another shard and yields nothing. */
export function disaggregator(
  range: HashKeyRange | undefined,
  onMalformed: OnMalformed,
): Disaggregate {
  const hashes = hashRange(range);
  return (data, record, writer) => {
    const aggregate = parseAggregate(data);
    if (!aggregate) return false;
    const before = writer.count;
    const outcome = write(aggregate, record, writer, hashes);
    if (outcome === "foreign") writer.truncate(before);
    else if (outcome !== "written") {
      const { sequenceNumber, sequenceStart, sequenceEnd } = record;
      onMalformed({
        sequenceNumber: sequenceNumber.bytes.toString("latin1", sequenceStart, sequenceEnd),
        reason: outcome.fault,
        delivered: writer.count - before,
      });
    }
    return true;
  };
}

interface Text {
  readonly start: number;
  readonly end: number;
}

interface Aggregate {
  readonly bytes: Buffer;
  readonly partitionKeys: readonly Text[];
  readonly explicitHashKeys: readonly Text[];
  /** For each record: index of its partition key, index of its hash key or -1, start and end of its data. */
  readonly records: readonly number[];
}

/** Numbers of `Aggregate.records` for each record. */
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

function parseMessage(bytes: Buffer, end: number): Aggregate {
  const partitionKeys: Text[] = [];
  const explicitHashKeys: Text[] = [];
  const records: number[] = [];
  const message = new MessageReader(bytes, MAGIC_BYTES, end);
  const inner = new MessageReader(bytes, 0, 0);
  const tag = new MessageReader(bytes, 0, 0);
  while (message.next()) {
    // A known number with another wire type is an unknown field.
    if (message.wireType !== LENGTH_DELIMITED) continue;
    const { field, start, end: fieldEnd } = message;
    if (field === 1) partitionKeys.push({ start, end: fieldEnd });
    else if (field === 2) explicitHashKeys.push({ start, end: fieldEnd });
    else if (field === 3) {
      inner.reset(start, fieldEnd);
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

type Outcome = "written" | "foreign" | { readonly fault: string };

function write(
  { bytes, partitionKeys, explicitHashKeys, records }: Aggregate,
  { sequenceNumber, sequenceStart, sequenceEnd, arrivalMs }: Parameters<Disaggregate>[1],
  writer: BatchWriter,
  hashes: HashRange,
): Outcome {
  const source = new ByteSource(bytes);
  const keys: (Key | undefined)[] = new Array(partitionKeys.length);
  for (let at = 0, sub = 0; at < records.length; at += RECORD_SIZE, sub += 1) {
    const keyIndex = records[at] ?? 0;
    const text = partitionKeys[keyIndex];
    if (!text) return { fault: `record ${sub} has partition key ${keyIndex} of ${keys.length}` };
    let key = keys[keyIndex];
    if (!key) {
      key = { ...inJson(source, text), held: undefined };
      keys[keyIndex] = key;
    }
    const hashIndex = records[at + 1] ?? -1;
    if (hashIndex >= 0) {
      const hashKey = explicitHashKeys[hashIndex];
      const number = hashKey && integerOf(bytes.toString("utf8", hashKey.start, hashKey.end));
      if (number === undefined) return { fault: `record ${sub} has no usable explicit hash key` };
      if (!hashes.holdsHashKey(number)) return "foreign";
    } else if (!hashes.full) {
      key.held ??= hashes.holdsPartitionKey(utf8(bytes, text));
      if (!key.held) return "foreign";
    }
    writer.rawData(bytes, records[at + 2] ?? 0, records[at + 3] ?? 0);
    writer.close(
      key.source,
      key.start,
      key.end,
      sequenceNumber,
      sequenceStart,
      sequenceEnd,
      arrivalMs,
      sub,
    );
  }
  return "written";
}

/** A partition key as the inside of a JSON string, and whether the shard holds it, once that was asked. */
interface Key extends Text {
  readonly source: ByteSource;
  held: boolean | undefined;
}

/** Printable ASCII without quotes and backslashes stands for itself. */
function inJson(source: ByteSource, text: Text): Text & { readonly source: ByteSource } {
  const { bytes } = source;
  for (let at = text.start; at < text.end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) {
      const quoted = sourceOf(quoteForLines(bytes.toString("utf8", text.start, text.end)));
      return { source: quoted, start: 1, end: quoted.bytes.length - 1 };
    }
  }
  return { source, start: text.start, end: text.end };
}

/** What Java hashes: the key as text again, in which broken UTF-8 has become U+FFFD. */
function utf8(bytes: Buffer, { start, end }: Text): Uint8Array {
  const key = bytes.subarray(start, end);
  return isUtf8(key) ? key : Buffer.from(key.toString("utf8"));
}

function integerOf(text: string): bigint | undefined {
  return /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^\+/, "")) : undefined;
}
