// Plays the daemon's part of a transcript to a client and judges what it says. The transcript's own `<` lines are an
// example, not the measure: a conforming processor may checkpoint or not, when it likes. Judged is what the
// specification asks of every processor: one status for each action, checkpoints in good form and order, and an exit at the end.

import type { DialectName } from "../model/dialect.ts";
import { Candidate } from "./candidate.ts";
import type { Payload } from "./payload.ts";
import { Play } from "./play.ts";
import { scriptOf } from "./script.ts";
import type { Transcript } from "./transcript.ts";

/** How long a client may be silent within a step. Samples of official clients pause 5 s before a second try. */
export const DEFAULT_STEP_LIMIT_MS = 10_000;

export interface Verdict {
  readonly transcript: string;
  readonly behaviour: string;
  readonly outcome: "passed" | "failed" | "not exercised";
  /** The sentence broken, or the one that the transcript shows. */
  readonly sentence: string;
  readonly expected?: string;
  readonly came?: string;
  /** Lines on STDOUT that were no messages: allowed, though better on STDERR. */
  readonly noise: readonly string[];
  readonly lastWords?: readonly string[];
  /** Of the actions with records. */
  readonly batches: { readonly sent: number; readonly processed: number };
  readonly elapsedMs: number;
}

export interface PlayOptions {
  readonly argv: readonly string[];
  /** Whose messages the client gets at its end; the transcript's own when absent. */
  readonly dialect?: DialectName;
  readonly stepLimitMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** What the records hold in place of the transcript's words; made anew for each play. */
  readonly payload?: () => Payload;
}

/** Variables that announce the daemon to its children; protocol/README.md lists them. */
const ANNOUNCEMENT = {
  KINESIS_MULTILANG_PROTOCOL_VERSION: "1",
  KINESIS_MULTILANG_SHARD_ID: "shardId-000000000000",
  KINESIS_MULTILANG_WORKER_ID: "conformance",
  KINESIS_MULTILANG_ATTEMPT: "1",
} as const;

/** Starts the client and plays one transcript. Rejects with a UserError only when the command cannot be started. */
export async function playClient(transcript: Transcript, options: PlayOptions): Promise<Verdict> {
  const started = performance.now();
  const { dialect = transcript.dialect } = options;
  const script = scriptOf(transcript, dialect, options.payload?.());
  const candidate = await Candidate.start(options.argv, environment(transcript, options.env));
  const limitMs = options.stepLimitMs ?? DEFAULT_STEP_LIMIT_MS;
  const { announced } = transcript;
  const play = new Play(candidate, { script, announced, dialect, stepLimitMs: limitMs });
  try {
    const fault = await play.run();
    return {
      transcript: transcript.name,
      behaviour: transcript.title,
      outcome: fault ? "failed" : play.exercised ? "passed" : "not exercised",
      sentence: fault?.sentence ?? transcript.sentences[0] ?? "",
      ...(fault && { expected: fault.expected, came: fault.came, lastWords: candidate.lastWords }),
      noise: play.noise,
      batches: play.batches,
      elapsedMs: Math.round(performance.now() - started),
    };
  } finally {
    candidate.kill();
  }
}

function environment(transcript: Transcript, base: NodeJS.ProcessEnv = process.env) {
  const env = { ...base };
  for (const name of Object.keys(ANNOUNCEMENT)) delete env[name];
  return transcript.announced ? { ...env, ...ANNOUNCEMENT } : env;
}
