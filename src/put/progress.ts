// Counts what `put` has stored, and shows it: as one line that is redrawn on a terminal, and
// otherwise as a line every few seconds.

import type { Clock } from "../clock.ts";
import { counted } from "../plural.ts";

export interface ProgressOutput {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 5_000;
const ERASE_LINE = "\r\x1b[2K";
// The summary lists words only if there are few; lines from STDIN are usually all different.
const MAX_WORDS_SHOWN = 12;

export class Progress {
  readonly #streamName: string;
  readonly #output: ProgressOutput;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #perWord = new Map<string, number>();
  #shownMs: number;
  #put = 0;
  #repeated = 0;

  constructor(streamName: string, output: ProgressOutput, clock: Clock) {
    this.#streamName = streamName;
    this.#output = output;
    this.#clock = clock;
    this.#startedMs = clock.monotonicMs();
    this.#shownMs = this.#startedMs;
  }

  /** Records that are stored. */
  get total(): number {
    return this.#put;
  }

  /** Adds a stored record. @param attempts that it took. */
  stored(data: Uint8Array, attempts: number): void {
    this.#put += 1;
    if (attempts > 1) this.#repeated += 1;
    this.#count(data);
    const everyMs = this.#output.isTTY ? REDRAW_MS : PLAIN_LINE_MS;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#shownMs < everyMs) return;
    this.#shownMs = nowMs;
    this.#output.write(this.#output.isTTY ? ERASE_LINE + this.#line() : `${this.#line()}\n`);
  }

  /** Writes the last line: the total, and the count of each word. */
  finish(unsent = 0): void {
    const words =
      this.#perWord.size <= MAX_WORDS_SHOWN
        ? [...this.#perWord].map(([word, count]) => `${word} ${count}`).sort()
        : [];
    const rest = unsent > 0 ? `; ${unsent} not put` : "";
    const erase = this.#output.isTTY ? ERASE_LINE : "";
    this.#output.write(
      `${erase}${this.#line()}${rest}${words.length > 0 ? `: ${words.join(", ")}` : ""}\n`,
    );
  }

  #line(): string {
    const seconds = Math.max((this.#clock.monotonicMs() - this.#startedMs) / 1000, 0.001);
    const repeated = this.#repeated > 0 ? `, ${this.#repeated} put again` : "";
    const rate = this.#put / seconds;
    return `${this.#streamName}: ${counted(this.#put, "record")} in ${seconds.toFixed(1)} s, ${rate.toFixed(rate < 10 ? 1 : 0)}/s${repeated}`;
  }

  #count(data: Uint8Array): void {
    // One word more than the summary shows: then there are too many for it.
    if (this.#perWord.size > MAX_WORDS_SHOWN) return;
    const word = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
    this.#perWord.set(word, (this.#perWord.get(word) ?? 0) + 1);
  }
}
