// Writes the KPL's envelope: many user records in one Kinesis record (format.ts). Keys and records
// are encoded as they come, each into its own buffer, and are put together at the end: the format
// has the keys first. Its users know the exact size at any time.

import { hash } from "node:crypto";
import { AGGREGATE, DIGEST_BYTES, MAGIC, RECORD } from "./format.ts";
import { LENGTH_DELIMITED, VARINT } from "./protobuf.ts";

const TAGS = {
  partitionKey: (AGGREGATE.partitionKey << 3) | LENGTH_DELIMITED,
  explicitHashKey: (AGGREGATE.explicitHashKey << 3) | LENGTH_DELIMITED,
  record: (AGGREGATE.record << 3) | LENGTH_DELIMITED,
  partitionKeyIndex: (RECORD.partitionKeyIndex << 3) | VARINT,
  explicitHashKeyIndex: (RECORD.explicitHashKeyIndex << 3) | VARINT,
  data: (RECORD.data << 3) | LENGTH_DELIMITED,
} as const;

const FRAME_BYTES = MAGIC.length + DIGEST_BYTES;

export class EnvelopeWriter {
  readonly #partitionKeys = new KeyTableWriter(TAGS.partitionKey);
  readonly #explicitHashKeys = new KeyTableWriter(TAGS.explicitHashKey);
  #records: Buffer = Buffer.allocUnsafeSlow(1024);
  #recordBytes = 0;

  /** The size of the envelope if it were finished now. */
  get bytes(): number {
    const keys = this.#partitionKeys.bytes + this.#explicitHashKeys.bytes;
    return FRAME_BYTES + keys + this.#recordBytes;
  }

  /** Each partition key once, in order of first use. */
  get partitionKeys(): ReadonlyMap<string, number> {
    return this.#partitionKeys.indexes;
  }

  /**
   * Adds a record, unless the envelope would exceed `maxBytes`. The first record is always added.
   *
   * @param explicitHashKey decimal; only if the user gave one.
   * @returns where the payload begins, relative to the `recordsAt` of `finish`; -1 if it was not
   *   added.
   */
  add(
    partitionKey: string,
    explicitHashKey: string | undefined,
    data: Uint8Array,
    maxBytes: number,
  ): number {
    const key = this.#partitionKeys.place(partitionKey);
    const hashKey =
      explicitHashKey === undefined ? undefined : this.#explicitHashKeys.place(explicitHashKey);
    const index = this.#partitionKeys.indexOf(partitionKey);
    const hashIndex = hashKey === undefined ? -1 : this.#explicitHashKeys.indexOf(explicitHashKey);
    const length = data.byteLength;
    const content =
      2 +
      varintBytes(index) +
      (hashIndex < 0 ? 0 : 1 + varintBytes(hashIndex)) +
      varintBytes(length) +
      length;
    const added = 1 + varintBytes(content) + content;
    const isFirst = this.#recordBytes === 0;
    if (!isFirst && this.bytes + key + (hashKey ?? 0) + added > maxBytes) return -1;
    if (key > 0) this.#partitionKeys.add(partitionKey);
    if (hashKey !== undefined && hashKey > 0) this.#explicitHashKeys.add(explicitHashKey ?? "");
    return this.#write(index, hashIndex, content, data, added);
  }

  /**
   * The envelope, and where the records begin in it. The writer must not be used any more.
   */
  finish(): { readonly bytes: Buffer; readonly recordsAt: number } {
    const bytes = Buffer.allocUnsafeSlow(this.bytes);
    MAGIC.copy(bytes);
    let at = this.#partitionKeys.copyTo(bytes, MAGIC.length);
    at = this.#explicitHashKeys.copyTo(bytes, at);
    this.#records.copy(bytes, at, 0, this.#recordBytes);
    const end = at + this.#recordBytes;
    bytes.write(hash("md5", bytes.subarray(MAGIC.length, end), "hex"), end, "hex");
    return { bytes, recordsAt: at };
  }

  /** A payload that was added, for a record that travels alone. */
  payload(start: number, length: number): Buffer {
    return Buffer.from(this.#records.subarray(start, start + length));
  }

  #write(index: number, hashIndex: number, content: number, data: Uint8Array, added: number) {
    const needed = this.#recordBytes + added;
    if (needed > this.#records.length) this.#records = grown(this.#records, needed);
    const out = this.#records;
    let at = this.#recordBytes;
    out[at++] = TAGS.record;
    at = writeVarint(out, at, content);
    out[at++] = TAGS.partitionKeyIndex;
    at = writeVarint(out, at, index);
    if (hashIndex >= 0) {
      out[at++] = TAGS.explicitHashKeyIndex;
      at = writeVarint(out, at, hashIndex);
    }
    out[at++] = TAGS.data;
    at = writeVarint(out, at, data.byteLength);
    out.set(data, at);
    this.#recordBytes = needed;
    return at;
  }
}

/** One table of keys, encoded. */
class KeyTableWriter {
  readonly indexes = new Map<string, number>();
  readonly #tag: number;
  #buffer: Buffer = EMPTY;
  bytes = 0;

  constructor(tag: number) {
    this.#tag = tag;
  }

  /** The bytes that the key would add: 0 if the table has it. */
  place(key: string): number {
    if (this.indexes.has(key)) return 0;
    const length = Buffer.byteLength(key);
    return 1 + varintBytes(length) + length;
  }

  /** The index that the key has, or would get. */
  indexOf(key = ""): number {
    return this.indexes.get(key) ?? this.indexes.size;
  }

  add(key: string): void {
    const length = Buffer.byteLength(key);
    const needed = this.bytes + 1 + varintBytes(length) + length;
    if (needed > this.#buffer.length) this.#buffer = grown(this.#buffer, needed);
    this.#buffer[this.bytes] = this.#tag;
    const at = writeVarint(this.#buffer, this.bytes + 1, length);
    this.#buffer.write(key, at, "utf8");
    this.indexes.set(key, this.indexes.size);
    this.bytes = needed;
  }

  copyTo(target: Buffer, at: number): number {
    this.#buffer.copy(target, at, 0, this.bytes);
    return at + this.bytes;
  }
}

const EMPTY = Buffer.alloc(0);

function grown(buffer: Buffer, neededBytes: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(256, buffer.length * 2, neededBytes));
  buffer.copy(larger);
  return larger;
}

function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

function writeVarint(out: Buffer, at: number, value: number): number {
  let rest = value;
  let to = at;
  for (; rest >= 0x80; rest >>>= 7) out[to++] = (rest & 0x7f) | 0x80;
  out[to++] = rest;
  return to;
}
