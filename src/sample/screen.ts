// The output of the sample: a view that is redrawn on a terminal, and lines elsewhere.

/** The least time between two plain lines, so that a log does not grow fast. */
const PLAIN_EVERY_MS = 1000;

export class Screen {
  readonly #out: NodeJS.WriteStream;
  #linesDrawn = 0;
  #lastPlainMs = Number.NEGATIVE_INFINITY;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /**
   * On a terminal, draws `live` over the last view. Elsewhere prints `plain`, at most once per
   * second unless it is the `last`.
   */
  draw(nowMs: number, live: () => readonly string[], plain: () => string, last = false): void {
    if (this.#out.isTTY) {
      this.#redraw(live());
    } else if (last || nowMs - this.#lastPlainMs >= PLAIN_EVERY_MS) {
      this.#lastPlainMs = nowMs;
      this.print(plain());
    }
  }

  /** Writes a line that is not drawn over. */
  print(line: string): void {
    this.#linesDrawn = 0;
    this.#out.write(`${line}\n`);
  }

  #redraw(lines: readonly string[]): void {
    const up = this.#linesDrawn > 0 ? `\x1b[${this.#linesDrawn}A` : "";
    const width = this.#out.columns || 80;
    const text = lines.map((line) => `\x1b[2K${line.slice(0, width - 1)}\n`).join("");
    this.#out.write(`${up}${text}\x1b[J`);
    this.#linesDrawn = lines.length;
  }
}
