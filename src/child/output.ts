// One of a child's two output streams: read to its end whatever comes, cut into lines, the last of them remembered.

import { LastWords } from "./lastWords.ts";
import { type Line, LineSplitter } from "./lines.ts";

/** Of a line that is too long. */
const SHOWN_BYTES = 1024;

/**
 * Takes a line without its end; of one that is too long it gets the beginning, with `cut` set, and a remark.
 * No more is read until the promise, if there is one, is fulfilled.
 */
export type TakeLine = (line: string, cut: boolean) => Promise<void> | void;

export class Output {
  /** The end of the stream, every line before it having been taken. Never rejects. */
  readonly ended: Promise<void>;

  readonly #limitBytes: number;
  readonly #lines: LineSplitter;
  readonly #lastWords = new LastWords();
  readonly #take: TakeLine;
  #bytes = 0;

  constructor(stream: AsyncIterable<Buffer>, limitBytes: number, take: TakeLine) {
    this.#limitBytes = limitBytes;
    this.#lines = new LineSplitter(limitBytes);
    this.#take = take;
    this.ended = this.#read(stream);
  }

  /** How much has been read. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The last 50 lines, oldest first, and what stands after the last line end. */
  lastLines(): readonly string[] {
    const lines = this.#lastWords.lines();
    const { unfinished } = this.#lines;
    if (unfinished.length === 0) return lines;
    return [...lines, `${unfinished.toString("utf8", 0, SHOWN_BYTES)} (without a line end)`];
  }

  async #read(stream: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const chunk of stream) {
        this.#bytes += chunk.length;
        for (const line of this.#lines.push(chunk)) {
          // Only for what takes time: nobody gets a turn between two lines that came together.
          const busy = this.#hear(line);
          if (busy !== undefined) await busy;
        }
      }
    } catch {
      // A pipe that breaks, or that we closed, has ended.
    }
    const last = this.#lines.end();
    if (last) await this.#hear(last);
  }

  #hear({ bytes, cut }: Line): Promise<void> | void {
    this.#lastWords.add(bytes);
    if (!cut) return this.#take(bytes.toString(), false);
    const shown = bytes.toString("utf8", 0, SHOWN_BYTES);
    const remark = `(more than ${this.#limitBytes} bytes without a line end: the rest is skipped)`;
    return this.#take(`${shown}… ${remark}`, true);
  }
}
