// One of a child's two output streams: reads it to its end whatever it contains, cuts it into
// lines, and keeps the last of them.

import type { Clock } from "../../clock.ts";
import { type Line, LineSplitter } from "../../lines.ts";
import { LastLines } from "./lastLines.ts";

/** How much is shown of a line that is too long or has no end. */
const SHOWN_BYTES = 1024;
/**
 * A line without an end (a prompt, a progress bar, an incomplete message) is shown after this time.
 */
const UNFINISHED_MS = 1_000;

/**
 * Receives a line without its line end. `cut`: the line is too long, or it is a message that has no
 * end yet; the receiver gets its beginning and a remark. Reading continues when the returned
 * promise, if there is one, is fulfilled.
 */
export type TakeLine = (line: string, cut: boolean) => Promise<void> | void;

export interface OutputOptions {
  readonly limitBytes: number;
  /** Lines are messages, which are never passed on in pieces. */
  readonly hasMessages: boolean;
  readonly clock: Clock;
  readonly take: TakeLine;
}

export class Output {
  /** Resolves when the stream has ended and every line has been received. Never rejects. */
  readonly ended: Promise<void>;

  readonly #options: OutputOptions;
  readonly #lines: LineSplitter;
  readonly #lastLines = new LastLines();
  readonly #over = new AbortController();
  #bytes = 0;
  /** How many lines have been passed on. */
  #count = 0;
  #isWaiting = false;
  /** The unfinished line that was shown, identified by the number of lines before it. */
  #shown: number | undefined;

  constructor(stream: AsyncIterable<Buffer>, options: OutputOptions) {
    this.#options = options;
    this.#lines = new LineSplitter(options.limitBytes);
    this.ended = this.#read(stream);
  }

  /** Read so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The last 50 lines, oldest first, and the text after the last line end. */
  lastLines(): readonly string[] {
    const lines = this.#lastLines.lines();
    const { unfinished } = this.#lines;
    if (unfinished.length === 0) return lines;
    return [...lines, `${unfinished.toString("utf8", 0, SHOWN_BYTES)} (without a line end)`];
  }

  async #read(stream: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const chunk of stream) {
        this.#bytes += chunk.length;
        for (const line of this.#lines.push(chunk)) {
          // Without a promise the next line follows at once, so lines that arrive together stay
          // together.
          const busy = this.#receive(line);
          if (busy !== undefined) await busy;
        }
        if (!this.#isWaiting && this.#isUnfinished) void this.#waitForEnd();
      }
    } catch {
      // A pipe that breaks or is closed has ended.
    }
    if (this.#isWaiting) this.#over.abort();
    const last = this.#lines.end();
    if (last) await this.#receive(last);
  }

  /** Shows each line whose end does not arrive in time. */
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

  /** Whether there is text after the last line end that was not shown. */
  get #isUnfinished(): boolean {
    return this.#lines.unfinished.length > 0 && this.#shown !== this.#count;
  }

  /** Shows a message that has no end yet, and reads on; passes on any other text as a line. */
  async #pass(): Promise<void> {
    const { hasMessages, take } = this.#options;
    if (hasMessages) {
      this.#shown = this.#count;
      const shown = this.#lines.unfinished.toString("utf8", 0, SHOWN_BYTES);
      await take(
        `${shown} (without a line end; the daemon reads the message when its line ends)`,
        true,
      );
      return;
    }
    const line = this.#lines.flush();
    if (line) await this.#receive(line);
  }

  #receive({ bytes, cut }: Line): Promise<void> | void {
    const { take, limitBytes } = this.#options;
    this.#count += 1;
    this.#lastLines.add(bytes);
    if (!cut) return take(bytes.toString(), false);
    const shown = bytes.toString("utf8", 0, SHOWN_BYTES);
    const remark = `(more than ${limitBytes} bytes without a line end; the daemon skips the rest)`;
    return take(`${shown}… ${remark}`, true);
  }
}
