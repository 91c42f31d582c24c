// The last lines that a child wrote to one stream, kept for the error message if the child fails.

/** Enough for a stack trace and the lines around it. */
export const LAST_LINES_MAX = 50;

/** A longer line is cut. */
const LAST_LINE_BYTES = 1024;

export class LastLines {
  readonly #lines: string[] = [];
  #next = 0;

  add(line: Buffer): void {
    // Decodes only the part: a slice of a decoded string would keep the whole string in memory.
    const tooLong = line.length > LAST_LINE_BYTES;
    const text = line.toString("utf8", 0, Math.min(line.length, LAST_LINE_BYTES));
    this.#lines[this.#next] = tooLong ? `${text}… (${line.length} bytes)` : text;
    this.#next = (this.#next + 1) % LAST_LINES_MAX;
  }

  /** Up to 50 lines, oldest first. */
  lines(): readonly string[] {
    return [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)];
  }
}
