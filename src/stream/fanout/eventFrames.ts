// Splits an event stream (application/vnd.amazon.eventstream) into frames on demand. Between two
// calls of `next` nothing is read from the connection, so the flow control of HTTP/2 stops the
// service. A payload is not decoded.
//
// A frame:  total length, length of the headers, CRC of these two (4 bytes each), headers, payload,
//           CRC of everything before it.
// A header: length of the name (1 byte), name, type (1 byte, 7 = text), and for text its length
//           (2 bytes) and the text.

import type { Readable } from "node:stream";
import { crc32 } from "node:zlib";
import { giveBuffer, type PooledBuffer, takeBuffer } from "../../buffers.ts";
import { InvalidResponse } from "../../records/invalidResponse.ts";

export interface EventFrame {
  readonly headers: ReadonlyMap<string, string>;
  /** Valid until the next call of `next`. */
  readonly payload: Buffer;
}

const PRELUDE_BYTES = 12;
const CHECKSUM_BYTES = 4;
/** Holds small events, and the beginning of large ones. */
const SMALL_BYTES = 64 * 1024;
/** An event is at most as large as a GetRecords response. A longer frame is malformed. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;

export class EventFrames {
  readonly #stream: Readable;
  readonly #small: Buffer = Buffer.allocUnsafeSlow(SMALL_BYTES);
  /** In use, instead of the small buffer, only while it contains bytes: each shard may have one. */
  #large: PooledBuffer | undefined;
  /** The bounds of the bytes that were received but not returned. */
  #start = 0;
  #end = 0;
  /** Fewer bytes are not a frame: `next` is not woken for them. */
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
      // "close" follows "end". Without "end" the connection broke.
      if (!this.#over) this.#fail(new InvalidResponse("The event stream of Kinesis broke off."));
    });
  }

  /**
   * The next frame; `undefined` at the end of the stream.
   *
   * @throws InvalidResponse for a malformed frame, or a stream that ends inside a frame; the
   *   connection's error.
   */
  async next(): Promise<EventFrame | undefined> {
    for (;;) {
      const frame = this.received();
      if (frame) return frame;
      if (this.#failure) throw this.#failure.error;
      if (this.#over) {
        if (this.#end > this.#start) throw broken("ended inside a frame");
        return undefined;
      }
      await this.#more();
    }
  }

  /** Closes the stream. A call of `next` that waits returns `undefined`. */
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

  /** The next frame if it has arrived whole. */
  received(): EventFrame | undefined {
    const buffer = this.#buffer();
    const have = this.#end - this.#start;
    this.#needed = PRELUDE_BYTES;
    if (have < PRELUDE_BYTES) return undefined;
    const start = this.#start;
    const length = buffer.readUInt32BE(start);
    const headersLength = buffer.readUInt32BE(start + 4);
    if (crc32(buffer.subarray(start, start + 8)) !== buffer.readUInt32BE(start + 8)) {
      throw broken("has a frame whose first bytes do not match their checksum");
    }
    const payloadAt = start + PRELUDE_BYTES + headersLength;
    const payloadEnd = start + length - CHECKSUM_BYTES;
    if (length > MAX_FRAME_BYTES || payloadAt > payloadEnd) {
      throw broken(`has a frame of ${length} bytes with ${headersLength} bytes of headers`);
    }
    if (have < length) {
      this.#needed = length;
      // The last chunk may contain the beginning of the next frame, too.
      this.#makeRoom(length + SMALL_BYTES);
      return undefined;
    }
    if (crc32(buffer.subarray(start, payloadEnd)) !== buffer.readUInt32BE(payloadEnd)) {
      throw broken("has a frame that does not match its checksum");
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
      this.#useLarge(undefined);
    }
    this.#makeRoom(this.#end - this.#start + chunk.length);
    chunk.copy(this.#buffer(), this.#end);
    this.#end += chunk.length;
  }

  /** Makes room for this number of bytes, counted from the first one that was not returned. */
  #makeRoom(bytes: number): void {
    const buffer = this.#buffer();
    if (this.#start + bytes <= buffer.length) return;
    const isLargeEnough = bytes <= buffer.length;
    const larger = isLargeEnough ? undefined : takeBuffer(bytes);
    buffer.copy(larger ?? buffer, 0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    if (larger) this.#useLarge(larger);
  }

  #buffer(): Buffer {
    return this.#large ?? this.#small;
  }

  #useLarge(buffer: PooledBuffer | undefined): void {
    if (this.#large) giveBuffer(this.#large);
    this.#large = buffer;
  }
}

const TEXT = 7;
/**
 * The length of a value by its type, where that is fixed: 0 and 1 are booleans, 2 to 5 integers, 8
 * is a time, 9 a UUID. Type 6 (bytes), like text, has a length of its own. We skip all of them.
 */
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
    throw new InvalidResponse("Kinesis sent an event stream with malformed headers.", {
      cause,
    });
  }
  return headers;
}

function broken(how: string): InvalidResponse {
  return new InvalidResponse(`The event stream of Kinesis ${how}.`);
}
