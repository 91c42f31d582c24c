// Finds the bytes in a JSON text that make a string special: backslashes, line ends, U+2028 and
// U+2029. Most texts contain none of them; this is found out once for the whole text instead of
// once per string. Callers ask for ranges in ascending order.

import { isAscii } from "node:buffer";

const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** The first byte of U+2028 and U+2029 (E2 80 A8, E2 80 A9). Some line readers end a line there. */
const SEPARATOR_FIRST = 0xe2;

export class RareBytes {
  readonly #bytes: Buffer;
  readonly #isAscii: boolean;
  // The first occurrence at or after the last start; infinity when there is none.
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

  /** Whether the range contains an unescaped U+2028 or U+2029. */
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
