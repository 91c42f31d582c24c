// Where in a JSON text the bytes stand that make a string special: a backslash, a line end, U+2028 and U+2029. Most texts
// have none of them, which is found out once for the whole text and not for each string.

import { isAscii } from "node:buffer";

const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** First byte of U+2028 and U+2029 (E2 80 A8, E2 80 A9), which line readers of some languages take for line ends. */
const SEPARATOR_FIRST = 0xe2;

export class RareBytes {
  readonly #bytes: Buffer;
  readonly #isAscii: boolean;
  // Where the next one stands at or behind the place last asked for.
  #backslashAt = -1;
  #newlineAt = -1;
  #returnAt = -1;
  #separatorAt = -1;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#isAscii = isAscii(bytes);
  }

  hasBackslash(start: number, end: number): boolean {
    if (this.#backslashAt < start) this.#backslashAt = this.#find(BACKSLASH, start);
    return this.#backslashAt < end;
  }

  hasLineEnd(start: number, end: number): boolean {
    if (this.#newlineAt < start) this.#newlineAt = this.#find(NEWLINE, start);
    if (this.#returnAt < start) this.#returnAt = this.#find(CARRIAGE_RETURN, start);
    return this.#newlineAt < end || this.#returnAt < end;
  }

  /** Whether U+2028 or U+2029 stands there as it is. */
  hasSeparator(start: number, end: number): boolean {
    if (this.#isAscii) return false;
    const bytes = this.#bytes;
    for (let from = start; from < end; from = this.#separatorAt + 1) {
      if (this.#separatorAt < from) this.#separatorAt = this.#find(SEPARATOR_FIRST, from);
      const at = this.#separatorAt;
      if (at >= end) return false;
      if (bytes[at + 1] === 0x80 && (bytes[at + 2] === 0xa8 || bytes[at + 2] === 0xa9)) return true;
    }
    return false;
  }

  #find(byte: number, from: number): number {
    const at = this.#bytes.indexOf(byte, from);
    return at < 0 ? Number.POSITIVE_INFINITY : at;
  }
}
