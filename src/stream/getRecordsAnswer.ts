// A GetRecords answer, from the service's JSON to records as the child reads them, in one pass over the bytes.
//
// Why JSON and not CBOR, which the service speaks too: a child wants base64 in JSON, and that is what the JSON answer
// holds already, so a payload is found by its closing quote and copied. From CBOR it would have to be encoded.

import { RecordBatch } from "../model/batch.ts";
import { isSequenceNumber, type SequenceNumber } from "../model/position.ts";
import type { ChildShard } from "../model/shard.ts";
import { BatchWriter } from "./batchWriter.ts";
import { type ByteSource, sourceOf } from "./byteSource.ts";
import { childShards } from "./childShards.ts";
import { InvalidResponse } from "./errors.ts";
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  JsonCursor,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
} from "./jsonCursor.ts";
import { secondsToMs, textToMs } from "./timestamp.ts";

export interface GetRecordsAnswer {
  readonly records: RecordBatch;
  /** How many records the service sent, an aggregate counted as one. */
  readonly received: number;
  /** The last record that the service sent, whatever became of it when its aggregate was taken apart. */
  readonly lastSequenceNumber: SequenceNumber | undefined;
  /** Absent at the end of the shard. */
  readonly nextShardIterator: string | undefined;
  readonly millisBehindLatest: number | undefined;
  /** Present at the end of the shard; absent when the service does not say. */
  readonly childShards: readonly ChildShard[] | undefined;
}

/**
 * Takes an aggregate apart and writes its records.
 *
 * @returns false when the payload turns out to be no aggregate: nothing was written then.
 */
export type Disaggregate = (
  data: Buffer,
  record: {
    readonly sequenceNumber: ByteSource;
    readonly sequenceStart: number;
    readonly sequenceEnd: number;
    readonly arrivalMs: number;
  },
  writer: BatchWriter,
) => boolean;

/** The service sends no time with a record only where it never knew one; a child cannot do with `null`. */
const UNKNOWN_ARRIVAL_MS = 0;
/** A payload that is longer than this is expected to be followed by others like it. */
const LONG_DATA_BYTES = 64;

/** @throws InvalidResponse when the body is not JSON, or a record has no sequence number. */
export function readGetRecordsAnswer(body: Buffer, disaggregate?: Disaggregate): GetRecordsAnswer {
  return new AnswerReader(body, disaggregate).read();
}

class AnswerReader {
  readonly #json: JsonCursor;
  readonly #disaggregate: Disaggregate | undefined;
  #writer: BatchWriter | undefined;
  #received = 0;
  /** Whether the last payload was long: then `indexOf` goes for the end of the next one. */
  #expectLong = true;

  // The fields of the record that is being read. A start of -1: absent or null.
  #data: ByteSource;
  #dataStart = -1;
  #dataEnd = 0;
  #key: ByteSource;
  #keyStart = -1;
  #keyEnd = 0;
  #sequence: ByteSource;
  #sequenceStart = -1;
  #sequenceEnd = 0;
  #arrivalMs = UNKNOWN_ARRIVAL_MS;

  /** Of the last record. */
  #sequenceLength = 0;

  constructor(body: Buffer, disaggregate: Disaggregate | undefined) {
    this.#json = new JsonCursor(body);
    this.#disaggregate = disaggregate;
    this.#data = this.#key = this.#sequence = this.#json.source;
  }

  read(): GetRecordsAnswer {
    const json = this.#json;
    let nextShardIterator: string | undefined;
    let millisBehindLatest: number | undefined;
    let children: readonly ChildShard[] | undefined;
    let more = json.open(OPEN_OBJECT, CLOSE_OBJECT);
    while (more) {
      json.string();
      const name = json.text();
      json.expect(COLON);
      if (name === "Records") this.#records();
      else if (name === "NextShardIterator")
        nextShardIterator = stringOrNothing(json.value(), name);
      else if (name === "MillisBehindLatest")
        millisBehindLatest = numberOrNothing(json.value(), name);
      else if (name === "ChildShards") children = childShards(json.value());
      else json.ignore();
      more = json.more(CLOSE_OBJECT);
    }
    json.finish();
    return {
      records: this.#writer?.finish() ?? RecordBatch.empty,
      received: this.#received,
      lastSequenceNumber: this.#lastSequenceNumber(),
      nextShardIterator,
      millisBehindLatest,
      childShards: children,
    };
  }

  #records(): void {
    const json = this.#json;
    // A name that comes twice: the last one counts, as for every JSON reader.
    this.#writer = undefined;
    this.#received = 0;
    this.#sequenceStart = -1;
    if (json.peek() !== OPEN_ARRAY) {
      nullOnly(json.value(), "Records");
      return;
    }
    let more = json.open(OPEN_ARRAY, CLOSE_ARRAY);
    while (more) {
      const start = json.pos;
      this.#record();
      this.#writer ??= new BatchWriter(sizeOfAll(json.bytes.length, json.pos - start));
      this.#write(this.#writer);
      this.#received += 1;
      more = json.more(CLOSE_ARRAY);
    }
  }

  #record(): void {
    const json = this.#json;
    this.#dataStart = this.#keyStart = this.#sequenceStart = -1;
    this.#arrivalMs = UNKNOWN_ARRIVAL_MS;
    let more = json.open(OPEN_OBJECT, CLOSE_OBJECT);
    while (more) {
      switch (this.#name()) {
        case "Data":
          this.#readData();
          break;
        case "SequenceNumber":
          this.#readSequenceNumber();
          break;
        case "PartitionKey":
          this.#readPartitionKey();
          break;
        case "ApproximateArrivalTimestamp":
          this.#readArrival();
          break;
        default:
          json.ignore();
      }
      more = json.more(CLOSE_OBJECT);
    }
  }

  /** Passes a name and its colon. The four that matter are known by their bytes; only others become text. */
  #name(): string {
    const json = this.#json;
    const { source } = json;
    if (json.peek() === QUOTE) {
      for (const { name, quoted } of NAMES) {
        if (source.matches(json.pos, quoted)) {
          json.pos += quoted.bytes.length;
          json.expect(COLON);
          return name;
        }
      }
    }
    json.string();
    const name = json.text();
    json.expect(COLON);
    return name;
  }

  #readData(): void {
    const json = this.#json;
    if (json.peek() !== QUOTE) {
      this.#dataStart = -1;
      nullOnly(json.value(), "Data");
      return;
    }
    if (this.#expectLong) json.longString(json.pos + 1);
    else json.string();
    this.#expectLong = json.end - json.start > LONG_DATA_BYTES;
    this.#data = json.plain ? json.source : json.normalised();
    this.#dataStart = json.plain ? json.start : 0;
    this.#dataEnd = json.plain ? json.end : this.#data.bytes.length;
  }

  #readPartitionKey(): void {
    const json = this.#json;
    if (json.peek() !== QUOTE) {
      this.#keyStart = -1;
      nullOnly(json.value(), "PartitionKey");
      return;
    }
    json.string();
    this.#key = json.plain ? json.source : json.normalised();
    this.#keyStart = json.plain ? json.start : 0;
    this.#keyEnd = json.plain ? json.end : this.#key.bytes.length;
  }

  #readSequenceNumber(): void {
    const json = this.#json;
    if (json.peek() !== QUOTE) {
      this.#sequenceStart = -1;
      nullOnly(json.value(), "SequenceNumber");
      return;
    }
    // Within a shard they have one length.
    const start = json.pos + 1;
    const end = start + this.#sequenceLength;
    if (json.bytes[end] === QUOTE && json.source.areDigits(start, end)) json.take(start, end);
    else json.string();
    this.#sequence = json.plain ? json.source : json.normalised();
    this.#sequenceStart = json.plain ? json.start : 0;
    this.#sequenceEnd = json.plain ? json.end : this.#sequence.bytes.length;
    this.#sequenceLength = json.end - json.start;
  }

  #readArrival(): void {
    const json = this.#json;
    const byte = json.peek();
    let ms: number | undefined;
    if (byte === QUOTE) {
      json.string();
      ms = textToMs(json.text());
    } else {
      json.scalar();
      ms = secondsToMs(json.bytes, json.start, json.end);
      if (ms === undefined && json.bytes.toString("latin1", json.start, json.end) === "null") {
        ms = UNKNOWN_ARRIVAL_MS;
      }
    }
    if (ms === undefined) {
      const found = json.bytes.toString("utf8", json.start, json.end).slice(0, 40);
      throw new InvalidResponse(
        `Kinesis answered with a record whose ApproximateArrivalTimestamp is no time: ${found}`,
      );
    }
    this.#arrivalMs = ms;
  }

  #write(writer: BatchWriter): void {
    const data = this.#data;
    const start = Math.max(0, this.#dataStart);
    const end = this.#dataStart < 0 ? 0 : this.#dataEnd;
    const sequence = this.#sequence;
    const sequenceStart = this.#sequenceStart;
    const sequenceEnd = this.#sequenceEnd;
    if (sequenceStart < 0 || !sequence.areDigits(sequenceStart, sequenceEnd)) {
      throw new InvalidResponse(
        `Kinesis answered with a record that has no sequence number, before byte ${this.#json.pos}.`,
      );
    }
    if (this.#disaggregate && mayBeAggregate(data.bytes, start, end)) {
      const raw = Buffer.from(data.bytes.toString("latin1", start, end), "base64");
      const arrivalMs = this.#arrivalMs;
      const record = { sequenceNumber: sequence, sequenceStart, sequenceEnd, arrivalMs };
      if (this.#disaggregate(raw, record, writer)) return;
    }
    writer.data(data, start, end);
    const keyStart = Math.max(0, this.#keyStart);
    const keyEnd = this.#keyStart < 0 ? 0 : this.#keyEnd;
    writer.close(
      this.#key,
      keyStart,
      keyEnd,
      sequence,
      sequenceStart,
      sequenceEnd,
      this.#arrivalMs,
      0,
    );
  }

  #lastSequenceNumber(): SequenceNumber | undefined {
    if (this.#sequenceStart < 0) return undefined;
    const text = this.#sequence.bytes.toString("latin1", this.#sequenceStart, this.#sequenceEnd);
    return isSequenceNumber(text) ? text : undefined;
  }
}

/** In the order in which the service sends them. */
const NAMES = ["SequenceNumber", "ApproximateArrivalTimestamp", "Data", "PartitionKey"].map(
  (name) => ({ name, quoted: sourceOf(`"${name}"`) }),
);

/**
 * Whether base64 text begins with the four bytes of a KPL aggregate, F3 89 9A C2: `84maw`, and a sixth character
 * whose upper two bits are the rest of C2 (`g` to `v`). An aggregate has more than 16 bytes behind them: 28 characters.
 */
function mayBeAggregate(bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] !== 0x38 || end - start < 28) return false;
  if (bytes[start + 1] !== 0x34 || bytes[start + 2] !== 0x6d) return false;
  if (bytes[start + 3] !== 0x61 || bytes[start + 4] !== 0x77) return false;
  const sixth = bytes[start + 5] ?? 0;
  return sixth >= 0x67 && sixth <= 0x76;
}

/** What all records come to, if each gains what a record gains from the service's usual form to ours. */
function sizeOfAll(bodyBytes: number, firstRecordBytes: number): number {
  return Math.ceil(bodyBytes * (1 + GAIN_BYTES / firstRecordBytes)) + 1024;
}

/** `subSequenceNumber` and `action`, and a little more. */
const GAIN_BYTES = 50;

function nullOnly(value: unknown, name: string): void {
  if (value !== null) throw unusable(name);
}

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

function unusable(name: string): InvalidResponse {
  return new InvalidResponse(`Kinesis answered with a ${name} of an unexpected type.`);
}
