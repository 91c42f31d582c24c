// Walks over the bytes of a JSON text without building objects. A string without escapes is only
// measured: `indexOf` finds its end, so a payload passes through the processor's cache once.
//
// The cursor checks less than JSON demands: it rejects control characters in short strings only. It
// rejects line ends in every string, because a line end would split a message to the child.

import { isUtf8 } from "node:buffer";
import { escapeSeparators } from "../lines.ts";
import { ByteSource } from "./byteSource.ts";
import { InvalidResponse } from "./invalidResponse.ts";
import { RareBytes } from "./rareBytes.ts";

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;

const BACKSLASH = 0x5c;
const SPACE = 0x20;
/** The first byte of U+2028 and U+2029 (E2 80 A8, E2 80 A9). Some line readers end a line there. */
const SEPARATOR_FIRST = 0xe2;
/** Up to this length a loop in JavaScript is faster than `indexOf`. */
const SHORT_STRING_BYTES = 80;

export class JsonCursor {
  readonly bytes: Buffer;
  readonly source: ByteSource;
  /** The offset of the next byte. */
  pos = 0;
  /** The bounds of the last string, without its quotes. */
  start = 0;
  end = 0;
  /** The last string can be copied unchanged: it has no escapes, and neither U+2028 nor U+2029. */
  plain = true;

  readonly #rare: RareBytes;

  constructor(json: Buffer) {
    // Like other JSON readers, replace invalid UTF-8 by U+FFFD. This comes before everything else.
    this.bytes = isUtf8(json) ? json : Buffer.from(json.toString("utf8"));
    this.#rare = new RareBytes(this.bytes);
    this.source = new ByteSource(this.bytes);
  }

  /** Skips white space. Returns the next byte without consuming it; 0 at the end of the text. */
  peek(): number {
    const { bytes } = this;
    let pos = this.pos;
    let byte = bytes[pos] ?? 0;
    while (byte <= SPACE && (byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09)) {
      pos += 1;
      byte = bytes[pos] ?? 0;
    }
    this.pos = pos;
    return byte;
  }

  /** Skips white space and consumes this byte, or throws. */
  expect(byte: number): void {
    if (this.peek() !== byte) throw this.unexpected(`'${String.fromCharCode(byte)}'`);
    this.pos += 1;
  }

  /** After an element: consumes a comma (returns true) or the closing byte (false), or throws. */
  more(close: number): boolean {
    const byte = this.peek();
    if (byte !== COMMA && byte !== close) {
      throw this.unexpected(`',' or '${String.fromCharCode(close)}'`);
    }
    this.pos += 1;
    return byte === COMMA;
  }

  /**
   * Consumes an opening byte. Returns false, and consumes the closing byte, if nothing is inside.
   */
  open(open: number, close: number): boolean {
    this.expect(open);
    if (this.peek() !== close) return true;
    this.pos += 1;
    return false;
  }

  /** Consumes a string and sets `start`, `end` and `plain`. */
  string(): void {
    if (this.peek() !== QUOTE) throw this.unexpected("a string");
    const { bytes } = this;
    const start = this.pos + 1;
    this.start = start;
    this.plain = true;
    const shortEnd = Math.min(start + SHORT_STRING_BYTES, bytes.length);
    for (let at = start; at < shortEnd; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) {
        this.#close(at);
        return;
      }
      if (byte < SPACE) throw this.unexpected("a string without control characters");
      if (byte === BACKSLASH || byte === SEPARATOR_FIRST) break;
    }
    this.longString(start);
  }

  /** Like `string`, for a string that is expected to be long. `start` follows its opening quote. */
  longString(start: number): void {
    this.start = start;
    this.plain = true;
    const { bytes } = this;
    const quoteAt = bytes.indexOf(QUOTE, start);
    if (quoteAt < 0) throw this.#truncated();
    if (this.#rare.hasBackslash(start, quoteAt)) {
      this.#escapedString(start);
      return;
    }
    if (this.#rare.hasLineEnd(start, quoteAt)) throw this.#lineEndInString();
    this.plain = !this.#rare.hasSeparator(start, quoteAt);
    this.#close(quoteAt);
  }

  /** Consumes a string whose bounds are known, and which has no escapes. */
  take(start: number, end: number): void {
    this.start = start;
    this.plain = true;
    this.#close(end);
  }

  /** The last string as text. */
  text(): string {
    return this.plain
      ? this.bytes.toString("utf8", this.start, this.end)
      : String(this.#parse(this.start - 1, this.end + 1));
  }

  /** The last string as the content of a JSON string, with U+2028 and U+2029 escaped. */
  normalised(): ByteSource {
    return new ByteSource(
      Buffer.from(escapeSeparators(JSON.stringify(this.text()))).subarray(1, -1),
    );
  }

  /** Consumes any value and returns it. */
  value(): unknown {
    const byte = this.peek();
    const from = this.pos;
    if (byte === QUOTE) {
      this.string();
      return this.text();
    }
    this.#skip();
    return this.#parse(from, this.pos);
  }

  /** Consumes any value. */
  ignore(): void {
    if (this.peek() !== QUOTE) {
      this.value();
      return;
    }
    this.string();
    if (!this.plain) this.text();
  }

  /** Throws unless only white space follows. */
  finish(): void {
    if (this.peek() !== 0 || this.pos < this.bytes.length) throw this.unexpected("the end");
  }

  /** Consumes a number, `true`, `false` or `null`, and sets `start` and `end`. */
  scalar(): void {
    this.peek();
    this.#scalar();
  }

  unexpected(wanted: string): InvalidResponse {
    if (this.pos >= this.bytes.length) return this.#truncated();
    return new InvalidResponse(
      `Kinesis sent a response that is invalid JSON: expected ${wanted} at byte ${this.pos} of ${this.bytes.length}.`,
    );
  }

  #scalar(): void {
    const { bytes } = this;
    let at = this.pos;
    while (isScalarByte(bytes[at] ?? 0)) at += 1;
    if (at === this.pos) throw this.unexpected("a value");
    this.start = this.pos;
    this.end = at;
    this.pos = at;
  }

  /** Consumes a value by counting its brackets. */
  #skip(): void {
    let depth = 0;
    do {
      const byte = this.peek();
      if (byte === QUOTE) {
        this.string();
        continue;
      }
      if (byte === 0) throw this.#truncated();
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth += 1;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth -= 1;
      else if (byte !== COMMA && byte !== COLON) {
        this.#scalar();
        continue;
      }
      this.pos += 1;
    } while (depth > 0);
  }

  #close(quoteAt: number): void {
    this.end = quoteAt;
    this.pos = quoteAt + 1;
  }

  #escapedString(start: number): void {
    this.plain = false;
    const { bytes } = this;
    for (let at = start; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) {
        this.#close(at);
        return;
      }
    }
    throw this.#truncated();
  }

  #parse(start: number, end: number): unknown {
    try {
      return JSON.parse(this.bytes.toString("utf8", start, end));
    } catch (cause) {
      const message = `Kinesis sent a response that is invalid JSON between bytes ${start} and ${end} of ${this.bytes.length}.`;
      throw new InvalidResponse(message, { cause });
    }
  }

  #truncated(): InvalidResponse {
    return new InvalidResponse(
      `Kinesis sent a response whose JSON is truncated after ${this.bytes.length} bytes.`,
    );
  }

  #lineEndInString(): InvalidResponse {
    return new InvalidResponse(
      `Kinesis sent a response that is invalid JSON: the string at byte ${this.start} contains a line end.`,
    );
  }
}

function isScalarByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) || // 0-9
    (byte >= 0x61 && byte <= 0x7a) || // a-z: true, false, null and the exponent
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    byte === 0x45
  );
}
