// The last lines that a child wrote on one stream, kept for the error message that may have to be made of them.

/** As many lines as a stack trace and its surroundings need. */
export const LAST_LINES = 50;

/** Of each of them. */
const LAST_LINE_BYTES = 1024;

export class LastWords {
  readonly #lines: string[] = [];
  #next = 0;

  add(line: Buffer): void {
    // Decoded from a part of the bytes: part of a decoded string would keep the whole of it in memory.
    const tooLong = line.length > LAST_LINE_BYTES;
    const text = line.toString("utf8", 0, Math.min(line.length, LAST_LINE_BYTES));
    this.#lines[this.#next] = tooLong ? `${text}… (${line.length} bytes)` : text;
    this.#next = (this.#next + 1) % LAST_LINES;
  }

  /** Oldest first. */
  lines(): readonly string[] {
    return [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)];
  }
}
