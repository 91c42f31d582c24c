// Plays a recorded conversation to a changed processor and finds the first place where it answers otherwise.

import { isDeepStrictEqual } from "node:util";
import { Candidate } from "./candidate.ts";
import { brief, readChildLine } from "./childLine.ts";
import { type Step, spoken, type Transcript } from "./transcript.ts";

export interface Difference {
  /** Line of the transcript. */
  readonly line: number;
  readonly expected: string;
  readonly came: string;
  /** What the processor had been told last. */
  readonly after: string;
  readonly lastWords: readonly string[];
}

export interface ReplayOptions {
  readonly argv: readonly string[];
  readonly stepLimitMs: number;
}

/** @returns nothing when the processor says and asks the same, message by message; prints and logs do not count. */
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
    lastWords: candidate.lastWords,
  });
  try {
    for (const step of transcript.steps) {
      if (step.from === "daemon") {
        after = spoken(step);
        candidate.say(after);
      } else if (isMessage(step)) {
        const expected = spoken(step);
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

/** Lines are compared and not judged: all that one of the dialects allows is a message. */
const EITHER = "kcl1";

/** The next status or checkpoint, or words for what came instead. */
async function nextMessage(candidate: Candidate, stepLimitMs: number): Promise<string> {
  const untilMs = performance.now() + stepLimitMs;
  for (;;) {
    const heard = await candidate.hear(Math.max(0, untilMs - performance.now()));
    if (heard.type === "silence") return `nothing within ${stepLimitMs} ms`;
    if (heard.type === "end") return END;
    const { type } = readChildLine(heard.line, EITHER);
    if (type !== "noise" && type !== "log") return heard.line;
  }
}

function isMessage(step: Step): boolean {
  if (step.from !== "child") return false;
  const { type } = readChildLine(spoken(step), EITHER);
  return type !== "noise" && type !== "log";
}

/** Equal but for spaces, the order of keys, and null for what is absent. */
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
