// Takes an event stream (application/vnd.amazon.eventstream) apart, frame by frame, as they are asked for: while nobody
// asks, nothing is read, and the service sees a full window. A payload stays the bytes that it is.
//
// A frame:  total length, headers' length, CRC of these two (4 bytes each), headers, payload, CRC of all before it.
// A header: length of the name (1 byte), name, type (1 byte, 7 = text), for text its length (2 bytes) and the text.

import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { InvalidResponse } from "../../records/invalidResponse.ts";
import { giveBuffer, takeBuffer } from "../../spareBuffers.ts";

export interface EventFrame {
  readonly headers: ReadonlyMap<string, string>;
  /** Valid until the next frame is asked for. */
  readonly payload: Buffer;
}

const PRELUDE_BYTES = 12;
const CHECKSUM_BYTES = 4;
/** Room for small events, and what a large one begins with. */
const SMALL_BYTES = 64 * 1024;
/** Large buffers have few sizes, so that one used for an event fits the next. */
const SIZE_STEP_BYTES = 256 * 1024;
/** An event holds at most what a GetRecords answer does; a longer frame is none. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

export class EventFrames {
  readonly #stream: Readable;
  readonly #small: Buffer = Buffer.allocUnsafeSlow(SMALL_BYTES);
  /** The small one, or a large one for as long as it holds anything: many shards have one each. */
  #buffer = this.#small;
  /** The bytes that have come and not been given out. */
  #start = 0;
  #end = 0;
  /** Less than so many are no frame: nobody is woken for them. */
  #needed = PRELUDE_BYTES;
  #over = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.pause();
    stream.on("data", (chunk: Buffer) => {
      this.#add(chunk);
      if (this.#end - this.#start >= this.#needed) this.#wake?.();
    });
    stream.once("end", () => {
      this.#over = true;
      this.#wake?.();
    });
    stream.on("error", (error: unknown) => this.#fail(error));
    stream.once("close", () => {
      // Also comes after "end"; without it, the connection was cut.
      if (!this.#over) this.#fail(new InvalidResponse("Kinesis cut its event stream off."));
    });
  }

  /**
   * The next frame; `undefined` at the end of the stream.
   *
   * @throws InvalidResponse for bytes that are no frame, or a stream that ends inside one; the connection's error.
   */
  async next(): Promise<EventFrame | undefined> {
    for (;;) {
      const frame = this.#take();
      if (frame) return frame;
      if (this.#failure) throw this.#failure.error;
      if (this.#over) {
        if (this.#end > this.#start) throw broken("ended inside a frame");
        return undefined;
      }
      await this.#more();
    }
  }

  /** Nothing more is wanted: who waits gets `undefined`. */
  close(): void {
    this.#over = true;
    this.#start = this.#end;
    this.#stream.destroy();
    this.#wake?.();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake?.();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        this.#stream.pause();
        resolve();
      };
      this.#stream.resume();
    });
  }

  #take(): EventFrame | undefined {
    const buffer = this.#buffer;
    const have = this.#end - this.#start;
    this.#needed = PRELUDE_BYTES;
    if (have < PRELUDE_BYTES) return undefined;
    const start = this.#start;
    const length = buffer.readUInt32BE(start);
    const headersLength = buffer.readUInt32BE(start + 4);
    if (crc32(buffer.subarray(start, start + 8)) !== buffer.readUInt32BE(start + 8)) {
      throw broken("has a frame whose first bytes are damaged");
    }
    const payloadAt = start + PRELUDE_BYTES + headersLength;
    const payloadEnd = start + length - CHECKSUM_BYTES;
    if (length > MAX_FRAME_BYTES || payloadAt > payloadEnd) {
      throw broken(`has a frame of ${length} bytes with ${headersLength} bytes of headers`);
    }
    if (have < length) {
      this.#needed = length;
      // The last chunk may hold the beginning of the next frame, too.
      this.#makeRoom(length + SMALL_BYTES);
      return undefined;
    }
    if (crc32(buffer.subarray(start, payloadEnd)) !== buffer.readUInt32BE(payloadEnd)) {
      throw broken("has a frame that is damaged");
    }
    this.#start = start + length;
    return {
      headers: readHeaders(buffer.subarray(start + PRELUDE_BYTES, payloadAt)),
      payload: buffer.subarray(payloadAt, payloadEnd),
    };
  }

  #add(chunk: Buffer): void {
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
      this.#use(this.#small);
    }
    this.#makeRoom(this.#end - this.#start + chunk.length);
    chunk.copy(this.#buffer, this.#end);
    this.#end += chunk.length;
  }

  /** Room for so many bytes from the first on that was not given out. */
  #makeRoom(bytes: number): void {
    const before = this.#buffer;
    if (this.#start + bytes <= before.length) return;
    const target =
      bytes <= before.length
        ? before
        : takeBuffer(Math.ceil(bytes / SIZE_STEP_BYTES) * SIZE_STEP_BYTES);
    before.copy(target, 0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    this.#use(target);
  }

  #use(buffer: Buffer): void {
    const before = this.#buffer;
    this.#buffer = buffer;
    if (before !== buffer && before !== this.#small) giveBuffer(before);
  }
}

const TEXT = 7;
/** Bytes of the values of other types, which carry nothing that we need: 8 is a time, 9 a UUID; 6 has its length. */
const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  [0, 0],
  [1, 0],
  [2, 1],
  [3, 2],
  [4, 4],
  [5, 8],
  [8, 8],
  [9, 16],
]);

function readHeaders(bytes: Buffer): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  try {
    for (let at = 0; at < bytes.length; ) {
      const nameAt = at + 1;
      const typeAt = nameAt + bytes.readUInt8(at);
      const name = bytes.toString("utf8", nameAt, typeAt);
      const type = bytes.readUInt8(typeAt);
      const fixed = FIXED_BYTES.get(type);
      const valueAt = typeAt + (fixed === undefined ? 3 : 1);
      const length = fixed ?? bytes.readUInt16BE(typeAt + 1);
      if (type === TEXT) headers.set(name, bytes.toString("utf8", valueAt, valueAt + length));
      at = valueAt + length;
    }
  } catch (cause) {
    throw new InvalidResponse("Kinesis sent an event stream with headers that cannot be read.", {
      cause,
    });
  }
  return headers;
}

function broken(how: string): InvalidResponse {
  return new InvalidResponse(`The event stream of Kinesis ${how}.`);
}
