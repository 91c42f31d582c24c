// Walks over the bytes of a JSON text without building anything of it. Strings without escapes are only measured:
// their end is found by `indexOf`, so that a payload's bytes pass through the processor's cache once. Control characters,
// which JSON forbids in strings, are looked for in short ones only; line ends, which would break a message in two, in all.

import { isUtf8 } from "node:buffer";
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
/** First byte of U+2028 and U+2029 (E2 80 A8, E2 80 A9), which line readers of some languages take for line ends. */
const SEPARATOR_FIRST = 0xe2;
/** Up to here a loop in JavaScript is faster than a call of `indexOf`. */
const SHORT_STRING_BYTES = 80;

export class JsonCursor {
  readonly bytes: Buffer;
  readonly source: ByteSource;
  /** The next byte to look at. */
  pos = 0;
  /** The last string's bytes, without its quotes. */
  start = 0;
  end = 0;
  /** Whether the last string may be copied as it is: no escapes, and no character that line readers stumble over. */
  plain = true;

  readonly #rare: RareBytes;

  constructor(json: Buffer) {
    // Every JSON reader takes broken UTF-8 as U+FFFD; so do we, before anything else is decided.
    this.bytes = isUtf8(json) ? json : Buffer.from(json.toString("utf8"));
    this.#rare = new RareBytes(this.bytes);
    this.source = new ByteSource(this.bytes);
  }

  /** Skips white space and returns the byte found there without passing it; 0 at the end of the text. */
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

  /** Passes the byte, after white space, or throws. */
  expect(byte: number): void {
    if (this.peek() !== byte) throw this.unexpected(`'${String.fromCharCode(byte)}'`);
    this.pos += 1;
  }

  /** After an element: passes a comma (true) or the closing byte (false), or throws. */
  more(close: number): boolean {
    const byte = this.peek();
    if (byte !== COMMA && byte !== close) {
      throw this.unexpected(`',' or '${String.fromCharCode(close)}'`);
    }
    this.pos += 1;
    return byte === COMMA;
  }

  /** Passes an opening byte and, if nothing stands between, the closing one: then false. */
  open(open: number, close: number): boolean {
    this.expect(open);
    if (this.peek() !== close) return true;
    this.pos += 1;
    return false;
  }

  /** Passes a string and sets `start`, `end` and `plain`. */
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

  /** As `string`, for one that is expected to be long; `start` is just behind its opening quote. */
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

  /** Passes a string that is known to lie between two places and to need no escapes. */
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

  /** The last string's bytes, between the quotes, as `JSON.stringify` writes them, safe for line readers. */
  normalised(): ByteSource {
    return new ByteSource(Buffer.from(quoteForLines(this.text())).subarray(1, -1));
  }

  /** Passes any value and returns it. */
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

  /** Passes any value that nobody wants. */
  ignore(): void {
    if (this.peek() !== QUOTE) {
      this.value();
      return;
    }
    this.string();
    if (!this.plain) this.text();
  }

  /** Nothing but white space may follow. */
  finish(): void {
    if (this.peek() !== 0 || this.pos < this.bytes.length) throw this.unexpected("the end");
  }

  /** Passes a number or a word and sets `start` and `end`. */
  scalar(): void {
    this.peek();
    this.#scalar();
  }

  unexpected(wanted: string): InvalidResponse {
    if (this.pos >= this.bytes.length) return this.#truncated();
    return new InvalidResponse(
      `Kinesis answered with JSON that is not valid: expected ${wanted} at byte ${this.pos} of ${this.bytes.length}.`,
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

  /** Passes any value by its brackets alone. */
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
      const message = `Kinesis answered with JSON that is not valid, between bytes ${start} and ${end} of ${this.bytes.length}.`;
      throw new InvalidResponse(message, { cause });
    }
  }

  #truncated(): InvalidResponse {
    return new InvalidResponse(
      `Kinesis answered with JSON that ends too early, after ${this.bytes.length} bytes.`,
    );
  }

  #lineEndInString(): InvalidResponse {
    return new InvalidResponse(
      `Kinesis answered with JSON that is not valid: a line end inside the string at byte ${this.start}.`,
    );
  }
}

/** A text as JSON string, with U+2028 and U+2029 escaped: some line readers take them for line ends. */
export function quoteForLines(text: string): string {
  return JSON.stringify(text).replace(/[\u2028\u2029]/g, (character) =>
    character === "\u2028" ? "\\u2028" : "\\u2029",
  );
}

function isScalarByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) || // 0-9
    (byte >= 0x61 && byte <= 0x7a) || // a-z, for true, false, null and the exponent
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    byte === 0x45
  );
}
