// Renders the records of one response into one buffer, as the JSON that a child reads (RecordBatch
// describes its exact form). A large buffer comes from the pool; the batch gives it back.

import { giveBuffer, POOLED_FROM_BYTES, type PooledBuffer, takeBuffer } from "../buffers.ts";
import { RecordBatch } from "../model/batch.ts";
import { encodeBase64, SHORT_PAYLOAD_BYTES } from "./base64.ts";
import { ByteSource, sourceOf, type TextPiece } from "./byteSource.ts";

const DATA = sourceOf('{"data":"');
const PARTITION_KEY = sourceOf('","partitionKey":"');
const SEQUENCE_NUMBER = sourceOf('","sequenceNumber":"');
const ARRIVAL = sourceOf('","approximateArrivalTimestamp":');
const SUB_SEQUENCE_NUMBER = sourceOf(',"subSequenceNumber":');
const ACTION = sourceOf(',"action":"record"},');
/** SUB_SEQUENCE_NUMBER, 0 and ACTION: the end of every record that is not in an aggregate. */
const PLAIN_TAIL = sourceOf(',"subSequenceNumber":0,"action":"record"},');

/** A record without its strings: the constants above and two integers of at most 17 digits. */
const FRAME_BYTES = 160;
const FIRST_STARTS = 128;

export class BatchWriter {
  #out: ByteSource;
  /** The memory of `#out`, if it came from the pool. */
  #pooled: PooledBuffer | undefined;
  #length = 0;
  #starts = new Uint32Array(FIRST_STARTS);
  #count = 0;

  /** @param sizeBytes the expected size of all records; the buffer grows when it is too small. */
  constructor(sizeBytes: number) {
    this.#pooled = sizeBytes < POOLED_FROM_BYTES ? undefined : takeBuffer(sizeBytes);
    this.#out = new ByteSource(this.#pooled ?? Buffer.allocUnsafe(sizeBytes));
  }

  /** Opens a record and writes its payload, base64 text that needs no escapes. */
  data(text: TextPiece): void {
    this.#open(text.length);
    this.#copy(text);
  }

  /** Opens a record and writes its payload, encoding it. */
  rawData(bytes: Buffer, start: number, end: number): void {
    const length = Math.ceil((end - start) / 3) * 4;
    this.#open(length);
    if (end - start > SHORT_PAYLOAD_BYTES) {
      this.#length += this.#out.bytes.write(
        bytes.toString("base64", start, end),
        this.#length,
        "latin1",
      );
    } else {
      this.#length = encodeBase64(bytes, start, end, this.#out, this.#length);
    }
  }

  /**
   * Closes the record that was opened last.
   *
   * @param key the partition key, as the content of a JSON string.
   * @param sequenceNumber decimal digits.
   */
  close(
    key: TextPiece,
    sequenceNumber: TextPiece,
    arrivalMs: number,
    subSequenceNumber: number,
  ): void {
    this.#ensure(key.length + sequenceNumber.length + FRAME_BYTES);
    this.#constant(PARTITION_KEY);
    this.#copy(key);
    this.#constant(SEQUENCE_NUMBER);
    this.#copy(sequenceNumber);
    this.#constant(ARRIVAL);
    this.#integer(arrivalMs);
    if (subSequenceNumber === 0) {
      this.#constant(PLAIN_TAIL);
    } else {
      this.#constant(SUB_SEQUENCE_NUMBER);
      this.#integer(subSequenceNumber);
      this.#constant(ACTION);
    }
  }

  /** The number of records opened. */
  get count(): number {
    return this.#count;
  }

  /** Removes all records from index `count` on. */
  truncate(count: number): void {
    if (count >= this.#count) return;
    this.#length = this.#starts[count] ?? 0;
    this.#count = count;
  }

  finish(): RecordBatch {
    if (this.#count === 0) return RecordBatch.empty;
    const starts = this.#starts.slice(0, this.#count + 1);
    starts[this.#count] = this.#length;
    const json = this.#out.bytes.subarray(0, this.#length);
    const pooled = this.#pooled;
    const memoryBytes = this.#out.bytes.length;
    return new RecordBatch([{ json, starts }], { free: () => free(pooled), memoryBytes });
  }

  #open(dataLength: number): void {
    this.#ensure(dataLength + FRAME_BYTES);
    if (this.#count + 1 >= this.#starts.length) {
      const starts = new Uint32Array(this.#starts.length * 2);
      starts.set(this.#starts);
      this.#starts = starts;
    }
    this.#starts[this.#count] = this.#length;
    this.#count += 1;
    this.#constant(DATA);
  }

  #constant(source: ByteSource): void {
    this.#length = source.copy(0, source.bytes.length, this.#out, this.#length);
  }

  #copy({ source, start, end }: TextPiece): void {
    this.#length = source.copy(start, end, this.#out, this.#length);
  }

  #integer(value: number): void {
    if (value >= 0 && value < 10) {
      this.#out.bytes[this.#length] = 0x30 + value;
      this.#length += 1;
      return;
    }
    const out = this.#out.bytes;
    let rest = value;
    if (rest < 0) {
      out[this.#length] = 0x2d;
      this.#length += 1;
      rest = -rest;
    }
    // Two halves that fit into 32 bits each, because integer division is fast only there.
    let high = Math.floor(rest / 1e8);
    let low = rest - high * 1e8;
    let digits = 1;
    for (let bound = 10; bound <= rest; bound *= 10) digits += 1;
    const stop = this.#length + digits;
    let at = stop - 1;
    for (const lowStop = Math.max(this.#length, stop - 8); at >= lowStop; at -= 1) {
      const next = (low / 10) | 0;
      out[at] = 0x30 + (low - next * 10);
      low = next;
    }
    for (; at >= this.#length; at -= 1) {
      const next = Math.floor(high / 10);
      out[at] = 0x30 + (high - next * 10);
      high = next;
    }
    this.#length = stop;
  }

  #ensure(more: number): void {
    const { bytes } = this.#out;
    const needed = this.#length + more;
    if (needed <= bytes.length) return;
    const size = Math.max(needed, Math.ceil(bytes.length * 1.5));
    const pooled = size < POOLED_FROM_BYTES ? undefined : takeBuffer(size);
    const larger = new ByteSource(pooled ?? Buffer.allocUnsafe(size));
    bytes.copy(larger.bytes, 0, 0, this.#length);
    free(this.#pooled);
    this.#pooled = pooled;
    this.#out = larger;
  }
}

function free(pooled: PooledBuffer | undefined): void {
  if (pooled) giveBuffer(pooled);
}
