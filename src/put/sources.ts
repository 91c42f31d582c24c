// What `put` writes, and when: words in rounds, or the lines of an input as they arrive.

import type { Readable } from "node:stream";
import type { Clock } from "../clock.ts";
import { UserError } from "../model/errors.ts";

export interface Rounds {
  readonly words: readonly string[];
  /** The time from the start of one round to the next; 0 means no pause. */
  readonly periodMs: number;
  /** Words in a round; a fraction is carried over to the next round. */
  readonly perRound: number;
  /** `inOrder` repeats the list, `random` draws from it. */
  readonly choice: "random" | "inOrder";
}

/** Yields the words of each round when they are due, until the signal is aborted. */
export async function* rounds(
  { words, periodMs, perRound, choice }: Rounds,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<readonly Buffer[]> {
  const data = words.map((word) => Buffer.from(word));
  let next = 0;
  let owed = 0;
  let dueMs = clock.monotonicMs();
  const pick = (): Buffer => {
    const index = choice === "inOrder" ? next++ : Math.floor(Math.random() * data.length);
    return data[index % data.length] ?? Buffer.alloc(0);
  };
  while (!signal.aborted) {
    owed += perRound;
    const size = Math.floor(owed);
    owed -= size;
    if (size > 0) yield Array.from({ length: size }, pick);
    // After a late round, the next ones keep their period: lost time is not made up with a burst.
    dueMs = Math.max(dueMs + periodMs, clock.monotonicMs());
    await clock.sleep(dueMs - clock.monotonicMs(), signal);
  }
}

export interface Lines {
  readonly input: Readable;
  /** Records per second; without a limit when absent. */
  readonly rate?: number;
}

// With a rate, the lines are put in steps of about this length.
const STEP_SECONDS = 0.1;

/**
 * Yields the lines of an input, no faster than the rate. Ends with the input, or when the signal is
 * aborted.
 *
 * @throws UserError when a line is longer than a record can be.
 */
export async function* pacedLines(
  { input, rate }: Lines,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<readonly Buffer[]> {
  // Without this, an input that stays open would keep the process alive.
  const close = () => input.destroy();
  signal.addEventListener("abort", close, { once: true });
  try {
    for await (const lines of linesOf(input)) {
      if (rate === undefined) {
        yield lines;
        continue;
      }
      const step = Math.max(1, Math.round(rate * STEP_SECONDS));
      for (let start = 0; start < lines.length && !signal.aborted; start += step) {
        const startedMs = clock.monotonicMs();
        const some = lines.slice(start, start + step);
        yield some;
        const restMs = (some.length / rate) * 1000 - (clock.monotonicMs() - startedMs);
        if (restMs > 0) await clock.sleep(restMs, signal);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", close);
  }
}

// The largest record that a stream can be configured to accept.
const MAX_LINE_BYTES = 10 * 1024 * 1024;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Yields the lines that each chunk of the input completes: bytes as they came, without the line's
 * end, blank lines left out. The input is read no faster than its lines are taken.
 *
 * @throws UserError when a line is longer than a record can be.
 */
async function* linesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Buffer[]> {
  let unfinished: Buffer[] = [];
  let unfinishedBytes = 0;
  let lineNumber = 1;
  for await (const piece of input) {
    const chunk = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      lines.push(withoutReturn(Buffer.concat([...unfinished, chunk.subarray(start, end)])));
      unfinished = [];
      unfinishedBytes = 0;
      lineNumber += 1;
      start = end + 1;
    }
    unfinished.push(chunk.subarray(start));
    unfinishedBytes += chunk.length - start;
    if (unfinishedBytes > MAX_LINE_BYTES) {
      throw new UserError(
        `Line ${lineNumber} of the input is longer than ${MAX_LINE_BYTES} bytes, the most that a record can hold.`,
      );
    }
    const full = lines.filter((line) => line.length > 0);
    if (full.length > 0) yield full;
  }
  const rest = withoutReturn(Buffer.concat(unfinished));
  if (rest.length > 0) yield [rest];
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}
