// One of a child's two output streams: read to its end whatever comes, cut into lines, the last of them remembered.

import type { Clock } from "../../clock.ts";
import { type Line, LineSplitter } from "../../lines.ts";
import { LastWords } from "./lastWords.ts";

/** Of a line that is too long, or has no end. */
const SHOWN_BYTES = 1024;
/** After this time a line without an end is passed on: a prompt, a progress bar, a message whose end was forgotten. */
const UNFINISHED_MS = 1_000;

/**
 * Takes a line without its end; of one that is too long it gets the beginning, with `cut` set, and a remark. The same of one
 * that has no end yet, where lines are messages.
 * No more is read until the promise, if there is one, is fulfilled.
 */
export type TakeLine = (line: string, cut: boolean) => Promise<void> | void;

export interface OutputOptions {
  readonly limitBytes: number;
  /** Lines are messages, which are never taken in pieces. */
  readonly hasMessages: boolean;
  readonly clock: Clock;
  readonly take: TakeLine;
}

export class Output {
  /** The end of the stream, every line before it having been taken. Never rejects. */
  readonly ended: Promise<void>;

  readonly #options: OutputOptions;
  readonly #lines: LineSplitter;
  readonly #lastWords = new LastWords();
  readonly #over = new AbortController();
  #bytes = 0;
  /** Lines that have been passed on. */
  #count = 0;
  #isWaiting = false;
  /** The unfinished line that was shown, by the number of those before it. */
  #shown: number | undefined;

  constructor(stream: AsyncIterable<Buffer>, options: OutputOptions) {
    this.#options = options;
    this.#lines = new LineSplitter(options.limitBytes);
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
        if (!this.#isWaiting && this.#isUnfinished) void this.#waitForEnd();
      }
    } catch {
      // A pipe that breaks, or that we closed, has ended.
    }
    if (this.#isWaiting) this.#over.abort();
    const last = this.#lines.end();
    if (last) await this.#hear(last);
  }

  /** Passes on the line that is unfinished now if its end does not come, and whatever stands there after it. */
  async #waitForEnd(): Promise<void> {
    const { signal } = this.#over;
    this.#isWaiting = true;
    while (this.#isUnfinished) {
      const line = this.#count;
      await this.#options.clock.sleep(UNFINISHED_MS, signal);
      if (signal.aborted) return;
      if (line === this.#count && this.#isUnfinished) await this.#pass();
    }
    this.#isWaiting = false;
  }

  /** Something that was not passed on stands after the last line end. */
  get #isUnfinished(): boolean {
    return this.#lines.unfinished.length > 0 && this.#shown !== this.#count;
  }

  /** Passes on what stands after the last line end: for good, or for a person to see. */
  async #pass(): Promise<void> {
    const { hasMessages, take } = this.#options;
    if (hasMessages) {
      this.#shown = this.#count;
      const shown = this.#lines.unfinished.toString("utf8", 0, SHOWN_BYTES);
      await take(`${shown} (without a line end: it is read when that comes)`, true);
      return;
    }
    const line = this.#lines.flush();
    if (line) await this.#hear(line);
  }

  #hear({ bytes, cut }: Line): Promise<void> | void {
    const { take, limitBytes } = this.#options;
    this.#count += 1;
    this.#lastWords.add(bytes);
    if (!cut) return take(bytes.toString(), false);
    const shown = bytes.toString("utf8", 0, SHOWN_BYTES);
    const remark = `(more than ${limitBytes} bytes without a line end: the rest is skipped)`;
    return take(`${shown}… ${remark}`, true);
  }
}
