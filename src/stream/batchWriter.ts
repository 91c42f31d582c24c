// Renders records into one buffer, in the form that RecordBatch describes and a child reads.
// Everything short is copied by loops: below some hundred bytes they are faster than a call out of JavaScript.

import { RecordBatch } from "../model/batch.ts";

const DATA = Buffer.from('{"data":"');
const PARTITION_KEY = Buffer.from('","partitionKey":"');
const SEQUENCE_NUMBER = Buffer.from('","sequenceNumber":"');
const ARRIVAL = Buffer.from('","approximateArrivalTimestamp":');
const SUB_SEQUENCE_NUMBER = Buffer.from(',"subSequenceNumber":');
const ACTION = Buffer.from(',"action":"record"},');
/** The two above with the sub-sequence number of every record outside an aggregate. */
const PLAIN_TAIL = Buffer.from(',"subSequenceNumber":0,"action":"record"},');

/** What a record has beside its strings: the constants above and two integers of at most 17 digits. */
const FRAME_BYTES = 160;
/** From here on a copy by the runtime is faster than a loop. */
const LONG_COPY_BYTES = 400;
const FIRST_STARTS = 128;

/** Part of a buffer. */
export interface Bytes {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

export class BatchWriter {
  #out: Buffer;
  #length = 0;
  #starts = new Uint32Array(FIRST_STARTS);
  #count = 0;

  /** @param sizeBytes about what the records will take; it grows when that was too little. */
  constructor(sizeBytes: number) {
    this.#out = Buffer.allocUnsafe(sizeBytes);
  }

  /** Opens a record and writes its payload: base64 text that needs no escapes. */
  data(bytes: Buffer, start: number, end: number): void {
    this.#open(end - start);
    this.#copy(bytes, start, end);
  }

  /** Opens a record and encodes its payload. */
  rawData(bytes: Buffer, start: number, end: number): void {
    const length = Math.ceil((end - start) / 3) * 4;
    this.#open(length);
    if (end - start > RAW_LOOP_BYTES) {
      this.#length += this.#out.write(bytes.toString("base64", start, end), this.#length, "latin1");
    } else {
      this.#length = encodeBase64(bytes, start, end, this.#out, this.#length);
    }
  }

  /**
   * Closes the record whose payload was written last.
   *
   * @param key the partition key, as the inside of a JSON string.
   * @param sequenceNumber decimal digits.
   */
  close(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    sequenceNumber: Buffer,
    sequenceStart: number,
    sequenceEnd: number,
    arrivalMs: number,
    subSequenceNumber: number,
  ): void {
    this.#ensure(keyEnd - keyStart + sequenceEnd - sequenceStart + FRAME_BYTES);
    this.#copy(PARTITION_KEY, 0, PARTITION_KEY.length);
    this.#copy(key, keyStart, keyEnd);
    this.#copy(SEQUENCE_NUMBER, 0, SEQUENCE_NUMBER.length);
    this.#copy(sequenceNumber, sequenceStart, sequenceEnd);
    this.#copy(ARRIVAL, 0, ARRIVAL.length);
    this.#integer(arrivalMs);
    if (subSequenceNumber === 0) {
      this.#copy(PLAIN_TAIL, 0, PLAIN_TAIL.length);
    } else {
      this.#copy(SUB_SEQUENCE_NUMBER, 0, SUB_SEQUENCE_NUMBER.length);
      this.#integer(subSequenceNumber);
      this.#copy(ACTION, 0, ACTION.length);
    }
  }

  /** How many records have been opened. */
  get count(): number {
    return this.#count;
  }

  /** Forgets the records from `count` on. */
  truncate(count: number): void {
    if (count >= this.#count) return;
    this.#length = this.#starts[count] ?? 0;
    this.#count = count;
  }

  finish(): RecordBatch {
    if (this.#count === 0) return RecordBatch.empty;
    const starts = this.#starts.slice(0, this.#count + 1);
    starts[this.#count] = this.#length;
    return new RecordBatch(this.#out.subarray(0, this.#length), starts);
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
    this.#copy(DATA, 0, DATA.length);
  }

  #copy(bytes: Buffer, start: number, end: number): void {
    const out = this.#out;
    let to = this.#length;
    if (end - start > LONG_COPY_BYTES) {
      bytes.copy(out, to, start, end);
      to += end - start;
    } else {
      for (let from = start; from < end; from += 1, to += 1) out[to] = bytes[from] ?? 0;
    }
    this.#length = to;
  }

  #integer(value: number): void {
    if (value >= 0 && value < 10) {
      this.#out[this.#length] = 0x30 + value;
      this.#length += 1;
      return;
    }
    const out = this.#out;
    let rest = value;
    if (rest < 0) {
      out[this.#length] = 0x2d;
      this.#length += 1;
      rest = -rest;
    }
    // Two halves that fit 32 bits each, since integer division is fast only there.
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
    const needed = this.#length + more;
    if (needed <= this.#out.length) return;
    const out = Buffer.allocUnsafe(Math.max(needed, Math.ceil(this.#out.length * 1.5)));
    this.#out.copy(out, 0, 0, this.#length);
    this.#out = out;
  }
}

/** Below this a loop encodes faster than two calls of the runtime. */
const RAW_LOOP_BYTES = 300;
const ALPHABET = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const PAD = 0x3d;

function encodeBase64(
  bytes: Buffer,
  start: number,
  end: number,
  out: Buffer,
  outStart: number,
): number {
  let to = outStart;
  let from = start;
  for (; from + 2 < end; from += 3, to += 4) {
    const three =
      ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    out[to] = ALPHABET[three >> 18] ?? 0;
    out[to + 1] = ALPHABET[(three >> 12) & 63] ?? 0;
    out[to + 2] = ALPHABET[(three >> 6) & 63] ?? 0;
    out[to + 3] = ALPHABET[three & 63] ?? 0;
  }
  if (from === end) return to;
  const two = from + 2 === end;
  const last = ((bytes[from] ?? 0) << 16) | (two ? (bytes[from + 1] ?? 0) << 8 : 0);
  out[to] = ALPHABET[last >> 18] ?? 0;
  out[to + 1] = ALPHABET[(last >> 12) & 63] ?? 0;
  out[to + 2] = two ? (ALPHABET[(last >> 6) & 63] ?? 0) : PAD;
  out[to + 3] = PAD;
  return to + 4;
}
