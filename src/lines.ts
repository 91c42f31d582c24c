// Cuts a stream of bytes into lines, with bounded memory whatever the other side sends. A line ends
// at \n, \r or \r\n. Lines stay bytes here, so that lines that are only counted or dropped are not
// decoded.

export interface Line {
  /** Without the line end. Valid until the next call: a view into memory that is reused. */
  readonly bytes: Buffer;
  /** The line is longer than the limit: these are its first bytes, and the rest is skipped. */
  readonly cut: boolean;
}

const LF = 0x0a;
const CR = 0x0d;

export class LineSplitter {
  readonly #limitBytes: number;
  /** The start of a line without an end yet. One growing buffer keeps many tiny chunks cheap. */
  #held = Buffer.alloc(0);
  #heldBytes = 0;
  /** In the rest of a line that was already returned cut. */
  #skipping = false;
  /** The last line ended with \r, so a following \n belongs to it. */
  #afterCr = false;
  /** The start of this line was flushed, so its end alone is not a line. */
  #flushed = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  *push(chunk: Buffer): Generator<Line, void, void> {
    let start = 0;
    let nextLf = -2;
    let nextCr = -2;
    if (this.#afterCr && chunk.length > 0) {
      this.#afterCr = false;
      if (chunk[0] === LF) start = 1;
    }
    for (;;) {
      if (nextLf !== -1 && nextLf < start) nextLf = chunk.indexOf(LF, start);
      if (nextCr !== -1 && nextCr < start) nextCr = chunk.indexOf(CR, start);
      const end = nextLf === -1 ? nextCr : nextCr === -1 ? nextLf : Math.min(nextLf, nextCr);
      if (end === -1) break;
      const line = this.#finish(chunk.subarray(start, end));
      start = end + 1;
      if (end === nextCr) {
        if (start === chunk.length) this.#afterCr = true;
        else if (chunk[start] === LF) start++;
      }
      if (line) yield line;
    }
    const cut = this.#hold(chunk.subarray(start));
    if (cut) yield cut;
  }

  /** The bytes after the last line end. */
  get unfinished(): Buffer {
    return this.#held.subarray(0, this.#heldBytes);
  }

  /** Returns the bytes after the last line end as a line. What follows is another line. */
  flush(): Line | undefined {
    const line = this.end();
    this.#flushed ||= line !== undefined;
    return line;
  }

  /** To be called at the end of the stream. @returns the last line, if it has no line end. */
  end(): Line | undefined {
    const bytes = this.unfinished;
    this.#heldBytes = 0;
    return bytes.length > 0 ? { bytes, cut: false } : undefined;
  }

  #finish(tail: Buffer): Line | undefined {
    if (this.#skipping) {
      this.#skipping = false;
      return undefined;
    }
    const isOnlyAnEnd = this.#flushed && this.#heldBytes === 0 && tail.length === 0;
    this.#flushed = false;
    if (isOnlyAnEnd) return undefined;
    if (this.#heldBytes === 0 && tail.length <= this.#limitBytes)
      return { bytes: tail, cut: false };
    const cut = this.#hold(tail);
    this.#skipping = false;
    if (cut) return cut;
    const bytes = this.unfinished;
    this.#heldBytes = 0;
    return { bytes, cut: false };
  }

  /** Keeps the start of a line, or returns it when it exceeds the limit. */
  #hold(bytes: Buffer): Line | undefined {
    if (this.#skipping || bytes.length === 0) return undefined;
    const taken = bytes.subarray(0, this.#limitBytes - this.#heldBytes);
    this.#grow(this.#heldBytes + taken.length);
    taken.copy(this.#held, this.#heldBytes);
    this.#heldBytes += taken.length;
    if (taken.length === bytes.length) return undefined;
    const cut = { bytes: this.unfinished, cut: true };
    this.#heldBytes = 0;
    this.#skipping = true;
    return cut;
  }

  #grow(neededBytes: number): void {
    if (this.#held.length >= neededBytes) return;
    const capacity = Math.min(this.#limitBytes, Math.max(neededBytes, this.#held.length * 2, 256));
    const larger = Buffer.alloc(capacity);
    this.#held.copy(larger, 0, 0, this.#heldBytes);
    this.#held = larger;
  }
}

/**
 * Escapes U+2028 and U+2029 in a JSON text. Some line readers, Node's among them, end a line at
 * these characters. Inside a JSON string the escape means the same.
 */
export function escapeSeparators(json: string): string {
  return json.replace(/[\u2028\u2029]/g, (c) => (c === "\u2028" ? "\\u2028" : "\\u2029"));
}
