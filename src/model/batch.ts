// Records on their way to a child. The daemon keeps them as the text that the child reads. It makes
// that text once, where the service's bytes arrive, and reads no payload after that.

import { escapeSeparators } from "../lines.ts";
import { comparePositions, type Position, parsePosition } from "./position.ts";
import type { ChildShard } from "./shard.ts";

/** One parsed record: for dead letters, tools and tests, never on the way to the child. */
export interface KinesisRecord {
  /** Base64 with the standard alphabet, as the service sent it. */
  readonly data: string;
  readonly partitionKey: string;
  readonly sequenceNumber: string;
  /** Milliseconds since 1970. */
  readonly approximateArrivalTimestamp: number;
  readonly subSequenceNumber: number;
}

/**
 * Records of one shard in order, as UTF-8 JSON objects joined by commas:
 * `{"data":"…","partitionKey":"…","sequenceNumber":"…","approximateArrivalTimestamp":…,`
 * `"subSequenceNumber":…,"action":"record"}`.
 * Exactly these keys in this order, without spaces; so the last three values can be read from the
 * end.
 */
export class RecordBatch {
  static readonly empty = new RecordBatch(Buffer.alloc(0), new Uint32Array(1));

  /** All records of the batches in order, copied into one batch. */
  static concat(batches: readonly RecordBatch[]): RecordBatch {
    const [only] = batches;
    if (only && batches.length === 1) return only;
    const parts = batches.filter(({ count }) => count > 0);
    const starts = new Uint32Array(parts.reduce((sum, { count }) => sum + count, 1));
    let index = 0;
    let offset = 0;
    for (const part of parts) {
      for (let record = 0; record < part.count; record += 1) {
        starts[index] = offset + part.#start(record) - part.#start(0);
        index += 1;
      }
      offset += part.json.length + 1;
    }
    starts[index] = offset;
    const pieces = parts.flatMap(({ json }) => [json, COMMA]);
    return new RecordBatch(Buffer.concat(pieces), starts, () => {});
  }

  #json: Buffer;
  /** The offset of each record, and the offset after the comma that would follow the last one. */
  readonly #starts: Uint32Array;
  #free: (() => void) | undefined;
  #whenFreed: (() => void) | undefined;
  /** What is still known of records whose memory was freed. */
  #ends: { readonly first: Position | undefined; readonly last: Position | undefined } | undefined;

  /**
   * @param starts offsets into `json` of each record, then the end of the last one plus 1.
   * @param free takes the memory back; absent when the batch does not own it.
   */
  constructor(json: Buffer, starts: Uint32Array, free?: () => void) {
    this.#json = json;
    this.#starts = starts;
    this.#free = free;
  }

  /**
   * Frees the memory, if this batch owns it. The records, and every slice of them, must not be read
   * any more. Their number and their first and last position stay known.
   */
  free(): void {
    if (this.#free) {
      this.#ends = { first: this.first, last: this.last };
      this.#json = NO_BYTES;
      this.#free();
      this.#free = undefined;
    }
    this.#whenFreed?.();
    this.#whenFreed = undefined;
  }

  /** Sets what is called when the records are freed. */
  whenFreed(callback: () => void): void {
    this.#whenFreed = callback;
  }

  get count(): number {
    return this.#starts.length - 1;
  }

  /** The records as the child reads them, without brackets: a view, not a copy. */
  get json(): Buffer {
    if (this.count === 0 || this.#ends) return NO_BYTES;
    return this.#json.subarray(this.#start(0), this.#start(this.count) - 1);
  }

  /** The records from `from` up to `to`, which is excluded; shares memory with this batch. */
  slice(from: number, to: number = this.count): RecordBatch {
    if (from >= to) return RecordBatch.empty;
    return new RecordBatch(this.#json, this.#starts.subarray(from, to + 1));
  }

  /** The records after a position; shares memory with this batch. */
  after(position: Position): RecordBatch {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePositions(this.position(middle), position) > 0) high = middle;
      else low = middle + 1;
    }
    return low === 0 ? this : this.slice(low);
  }

  /** The record at `index` as JSON. */
  jsonAt(index: number): Buffer {
    return this.#json.subarray(this.#start(index), this.#start(index + 1) - 1);
  }

  at(index: number): KinesisRecord {
    const { data, partitionKey, sequenceNumber, approximateArrivalTimestamp, subSequenceNumber } =
      JSON.parse(this.jsonAt(index).toString("utf8")) as KinesisRecord;
    return { data, partitionKey, sequenceNumber, approximateArrivalTimestamp, subSequenceNumber };
  }

  /** The position of a record, read from the end of its text, so that its payload is not read. */
  position(index: number): Position {
    const tail = this.#tail(index);
    const match = TAIL.exec(tail);
    const position = match && parsePosition(match[1] ?? "", Number(match[3]));
    if (!position) throw new Error(`a record has no sequence number: ${tail}`);
    return position;
  }

  /** When Kinesis received the first record: milliseconds since 1970. */
  get firstArrivalMs(): number | undefined {
    if (this.count === 0 || this.#ends) return undefined;
    const match = TAIL.exec(this.#tail(0));
    return match ? Number(match[2]) : undefined;
  }

  #tail(index: number): string {
    const end = this.#start(index + 1) - 1;
    // At most 46 + 16 + 21 + 16 + 19 bytes of names and integers follow the sequence number.
    return this.#json.toString("latin1", Math.max(this.#start(index), end - 320), end);
  }

  get first(): Position | undefined {
    if (this.#ends) return this.#ends.first;
    return this.count === 0 ? undefined : this.position(0);
  }

  get last(): Position | undefined {
    if (this.#ends) return this.#ends.last;
    return this.count === 0 ? undefined : this.position(this.count - 1);
  }

  #start(index: number): number {
    const start = this.#starts[index];
    if (start === undefined) throw new RangeError(`no record ${index} in a batch of ${this.count}`);
    return start;
  }
}

const COMMA = Buffer.from(",");
const NO_BYTES = Buffer.alloc(0);

const TAIL =
  /"sequenceNumber":"([^"]*)","approximateArrivalTimestamp":(-?\d+),"subSequenceNumber":(\d+),"action":"record"\}$/;

/** The result of one read of a shard. */
export interface Batch {
  readonly records: RecordBatch;
  /** How far the shard's tip is ahead, as the service reports it; `undefined` if it does not. */
  readonly millisBehindLatest: number | undefined;
  /**
   * Aggregates that are not delivered, each with all its records. They must be saved before
   * anything after them is checkpointed.
   */
  readonly misplaced?: readonly RecordBatch[];
  /** Present only in the last batch of an ended shard. No `children`: the shard has expired. */
  readonly shardEnd?: { readonly children: readonly ChildShard[] };
}

/**
 * A record as text, in the form that RecordBatch describes. For single records; records of a shard
 * are rendered by records/batchWriter.ts, without objects.
 */
export function recordJson(record: KinesisRecord): string {
  const { data, partitionKey, sequenceNumber } = record;
  const { approximateArrivalTimestamp, subSequenceNumber } = record;
  const rest = { sequenceNumber, approximateArrivalTimestamp, subSequenceNumber, action: "record" };
  return escapeSeparators(JSON.stringify({ data, partitionKey, ...rest }));
}

/** @param records each as `recordJson` renders it. */
export function batchOf(records: readonly string[]): RecordBatch {
  if (records.length === 0) return RecordBatch.empty;
  const json = Buffer.from(records.join(","));
  const starts = new Uint32Array(records.length + 1);
  for (const [index, record] of records.entries()) {
    starts[index + 1] = (starts[index] ?? 0) + Buffer.byteLength(record) + 1;
  }
  return new RecordBatch(json, starts);
}
