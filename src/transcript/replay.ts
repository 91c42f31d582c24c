// Plays a recorded conversation to a changed processor and finds the first place where its messages
// differ.

import { isDeepStrictEqual } from "node:util";
import { Candidate } from "./candidate.ts";
import { brief, readChildLine } from "./childLine.ts";
import { lineOf, type Step, type Transcript } from "./transcript.ts";

export interface Difference {
  /** The line of the transcript. */
  readonly line: number;
  readonly expected: string;
  readonly came: string;
  /** The message that the processor received last. */
  readonly after: string;
  readonly lastWords: readonly string[];
}

export interface ReplayOptions {
  readonly argv: readonly string[];
  readonly stepLimitMs: number;
}

/**
 * @returns `undefined` when all messages are the same. Log messages and other output are ignored.
 */
export async function replay(
  transcript: Transcript,
  options: ReplayOptions,
): Promise<Difference | undefined> {
  const { argv, stepLimitMs } = options;
  const candidate = await Candidate.start(argv, process.env);
  const lastLine = transcript.steps.at(-1)?.line ?? 0;
  let after = "its start";
  const differ = (line: number, expected: string, came: string): Difference => ({
    line,
    expected: brief(expected),
    came: brief(came),
    after: brief(after),
    lastWords: candidate.lastStderr,
  });
  try {
    for (const step of transcript.steps) {
      if (step.from === "daemon") {
        after = lineOf(step);
        candidate.send(after);
      } else if (isMessage(step)) {
        const expected = lineOf(step);
        const came = await nextMessage(candidate, stepLimitMs);
        if (!isSame(expected, came)) return differ(step.line, expected, came);
      }
    }
    candidate.endInput();
    after = "the end of STDIN";
    const came = await nextMessage(candidate, stepLimitMs);
    return came === END ? undefined : differ(lastLine, END, came);
  } finally {
    candidate.kill();
  }
}

const END = "the end of STDOUT";

/** Lines are compared, not validated: whatever a dialect allows is a message. */
const ANY_DIALECT = "kcl1";

/** The next status or checkpoint, or a phrase for what happened instead. */
async function nextMessage(candidate: Candidate, stepLimitMs: number): Promise<string> {
  const untilMs = performance.now() + stepLimitMs;
  for (;;) {
    const received = await candidate.receive(Math.max(0, untilMs - performance.now()));
    if (received.type === "timeout") return `nothing within ${stepLimitMs} ms`;
    if (received.type === "end") return END;
    const { type } = readChildLine(received.line, ANY_DIALECT);
    if (type !== "noise" && type !== "log") return received.line;
  }
}

function isMessage(step: Step): boolean {
  if (step.from !== "child") return false;
  const { type } = readChildLine(lineOf(step), ANY_DIALECT);
  return type !== "noise" && type !== "log";
}

/**
 * Whether two messages are equal, apart from spaces, the order of keys, and null for absent fields.
 */
function isSame(expected: string, came: string): boolean {
  return isDeepStrictEqual(fields(expected), fields(came));
}

function fields(line: string): unknown {
  try {
    const message = JSON.parse(line) as Record<string, unknown>;
    return Object.fromEntries(
      Object.entries(message)
        .filter(([, value]) => value !== null)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  } catch {
    return line;
  }
}
