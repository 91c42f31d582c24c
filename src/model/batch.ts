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

/** Records in one buffer. */
export interface Stretch {
  readonly json: Buffer;
  /** The offset of each record, and the offset after the comma that would follow the last one. */
  readonly starts: Uint32Array;
}

/**
 * Records of one shard in order, as UTF-8 JSON objects joined by commas:
 * `{"data":"…","partitionKey":"…","sequenceNumber":"…","approximateArrivalTimestamp":…,`
 * `"subSequenceNumber":…,"action":"record"}`.
 * Exactly these keys in this order, without spaces; so the last three values can be read from the
 * end. The records of several responses stay in the buffers of these responses.
 */
export class RecordBatch {
  static readonly empty = new RecordBatch([]);

  /** All records of the batches in order. It shares their memory, and frees it. */
  static concat(batches: readonly RecordBatch[]): RecordBatch {
    const [only] = batches;
    if (only && batches.length === 1) return only;
    return new RecordBatch(
      batches.flatMap((batch) => batch.#stretches),
      {
        free: () => {
          for (const batch of batches) batch.free();
        },
        memoryBytes: batches.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
      },
    );
  }

  readonly count: number;
  /** The size of the records as the child reads them. */
  readonly textBytes: number;
  readonly #memoryBytes: number;
  #stretches: readonly Stretch[];
  #free: (() => void) | undefined;
  #whenFreed: (() => void) | undefined;
  /** What is still known of records whose memory was freed. */
  #ends: { readonly first: Position | undefined; readonly last: Position | undefined } | undefined;

  /** @param owned how to give the memory back; absent when the batch does not own it. */
  constructor(stretches: readonly Stretch[], owned?: OwnedMemory) {
    this.#stretches = stretches.filter(({ starts }) => starts.length > 1);
    this.#free = owned?.free;
    this.count = sumOf(stretches, ({ starts }) => starts.length - 1);
    this.textBytes = Math.max(0, sumOf(stretches, lengthOf) - 1);
    this.#memoryBytes = owned?.memoryBytes ?? sumOf(stretches, ({ json }) => json.length);
  }

  /**
   * Frees the memory, if this batch owns it. The records, and every slice of them, must not be read
   * any more. Their number and their first and last position stay known.
   */
  free(): void {
    if (this.#free) {
      this.#ends = { first: this.first, last: this.last };
      this.#stretches = [];
      this.#free();
      this.#free = undefined;
    }
    this.#whenFreed?.();
    this.#whenFreed = undefined;
  }

  /** What the records keep in memory until they are freed; may be more than their text. */
  get memoryBytes(): number {
    return this.#memoryBytes;
  }

  /** Sets what is called when the records are freed. */
  whenFreed(callback: () => void): void {
    this.#whenFreed = callback;
  }

  /** The records as the child reads them, without brackets: views, not copies. */
  get pieces(): readonly Buffer[] {
    return this.#stretches.flatMap(({ json, starts }, index) => {
      const piece = json.subarray(starts[0], (starts.at(-1) ?? 0) - 1);
      return index === 0 ? [piece] : [COMMA, piece];
    });
  }

  /** The records from `from` up to `to`, which is excluded; shares memory with this batch. */
  slice(from: number, to: number = this.count): RecordBatch {
    if (from >= to) return RecordBatch.empty;
    const stretches: Stretch[] = [];
    let before = 0;
    for (const { json, starts } of this.#stretches) {
      const count = starts.length - 1;
      const [begin, end] = [Math.max(0, from - before), Math.min(count, to - before)];
      if (begin < end) stretches.push({ json, starts: starts.subarray(begin, end + 1) });
      before += count;
    }
    return new RecordBatch(stretches);
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

  /**
   * Copies each record into one of several batches, in order. Their memory is their own, and stays
   * when this batch is freed.
   *
   * @param partOf selects the batch of a record, whose text starts at `start` in `json`.
   * @returns the batches that have records.
   */
  dealt(parts: number, partOf: (json: Buffer, start: number) => number): readonly DealtRecords[] {
    const part = new Uint8Array(this.count);
    const counts = new Uint32Array(parts);
    const sizes = new Uint32Array(parts);
    this.#each((json, start, next, index) => {
      const to = partOf(json, start);
      part[index] = to;
      counts[to] = (counts[to] ?? 0) + 1;
      sizes[to] = (sizes[to] ?? 0) + next - start;
    });
    const dealt = Array.from(counts, (count, to) => ({
      json: Buffer.allocUnsafe(sizes[to] ?? 0),
      starts: new Uint32Array(count + 1),
      written: 0,
    }));
    this.#each((json, start, next, index) => {
      const into = dealt[part[index] ?? 0];
      if (!into) return;
      const at = into.starts[into.written] ?? 0;
      const end = at + json.copy(into.json, at, start, next - 1);
      into.written += 1;
      into.starts[into.written] = end + COMMA.copy(into.json, end);
    });
    return dealt.flatMap(({ json, starts }, to) => {
      const first = part.indexOf(to);
      return first < 0 ? [] : [{ part: to, first, records: new RecordBatch([{ json, starts }]) }];
    });
  }

  #each(visit: (json: Buffer, start: number, next: number, index: number) => void): void {
    let index = 0;
    for (const { json, starts } of this.#stretches) {
      for (let record = 1; record < starts.length; record += 1) {
        visit(json, starts[record - 1] ?? 0, starts[record] ?? 0, index);
        index += 1;
      }
    }
  }

  /** The record at `index` as JSON. */
  jsonAt(index: number): Buffer {
    let rest = index;
    for (const { json, starts } of this.#stretches) {
      const [start, next] = [starts[rest], starts[rest + 1]];
      if (start !== undefined && next !== undefined) return json.subarray(start, next - 1);
      rest -= starts.length - 1;
    }
    throw new RangeError(`no record ${index} in a batch of ${this.count}`);
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
    const json = this.jsonAt(index);
    // At most 46 + 16 + 21 + 16 + 19 bytes of names and integers follow the sequence number.
    return json.toString("latin1", Math.max(0, json.length - 320));
  }

  get first(): Position | undefined {
    if (this.#ends) return this.#ends.first;
    return this.count === 0 ? undefined : this.position(0);
  }

  get last(): Position | undefined {
    if (this.#ends) return this.#ends.last;
    return this.count === 0 ? undefined : this.position(this.count - 1);
  }
}

/** Some records of a batch. */
export interface DealtRecords {
  readonly part: number;
  /** The index of the first one in that batch. */
  readonly first: number;
  readonly records: RecordBatch;
}

interface OwnedMemory {
  readonly free: () => void;
  readonly memoryBytes: number;
}

const COMMA = Buffer.from(",");

/** With a comma after the last record. */
function lengthOf({ starts }: Stretch): number {
  return (starts.at(-1) ?? 0) - (starts[0] ?? 0);
}

function sumOf(stretches: readonly Stretch[], of: (stretch: Stretch) => number): number {
  return stretches.reduce((sum, stretch) => sum + of(stretch), 0);
}

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

/** Batches in a row as one, with the lag and the end of the last. It owns their memory. */
export function joined(first: Batch, ...more: readonly Batch[]): Batch {
  const last = more.at(-1);
  if (!last) return first;
  const all = [first, ...more];
  const misplaced = all.flatMap((batch) => batch.misplaced ?? []);
  return {
    ...last,
    records: RecordBatch.concat(all.map(({ records }) => records)),
    ...(misplaced.length > 0 && { misplaced }),
  };
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
  return new RecordBatch([{ json, starts }]);
}
