// Plays the daemon's part of a transcript to a client and checks the client's messages. The `<`
// lines of the transcript are only an example, because a conforming processor decides when it
// checkpoints. The check is what the specification requires of every processor: one status for each
// action, valid checkpoints at records that were delivered, and an exit at the end.

import type { DialectName } from "../model/dialect.ts";
import { Candidate } from "./candidate.ts";
import type { Payload } from "./payload.ts";
import { Play } from "./play.ts";
import { scriptOf } from "./script.ts";
import type { Transcript } from "./transcript.ts";

/**
 * How long a step may take. The samples of official clients wait 5 s before they retry a
 * checkpoint.
 */
export const DEFAULT_STEP_LIMIT_MS = 10_000;

/** `conformance --json` prints these fields. */
export interface PlayResult {
  readonly transcript: string;
  readonly behaviour: string;
  readonly outcome: "passed" | "failed" | "not exercised";
  /** The sentence of the specification that was violated, or the one that the transcript shows. */
  readonly sentence: string;
  readonly expected?: string;
  readonly came?: string;
  /** Lines on STDOUT that were not messages. They are allowed, but belong on STDERR. */
  readonly noise: readonly string[];
  readonly lastWords?: readonly string[];
  /** The actions with records. */
  readonly batches: { readonly sent: number; readonly processed: number };
  readonly elapsedMs: number;
}

export interface PlayOptions {
  readonly argv: readonly string[];
  /** The dialect of the messages that end the client; the transcript's own when absent. */
  readonly dialect?: DialectName;
  readonly stepLimitMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** Replaces the data of the transcript's records; called for each play. */
  readonly payload?: () => Payload;
}

/** The environment variables with which the daemon announces itself; see protocol/README.md. */
const ANNOUNCEMENT = {
  KINESIS_MULTILANG_PROTOCOL_VERSION: "1",
  KINESIS_MULTILANG_SHARD_ID: "shardId-000000000000",
  KINESIS_MULTILANG_WORKER_ID: "conformance",
  KINESIS_MULTILANG_ATTEMPT: "1",
} as const;

/**
 * Starts the client and plays one transcript.
 *
 * @throws UserError only when the command cannot be started.
 */
export async function playClient(
  transcript: Transcript,
  options: PlayOptions,
): Promise<PlayResult> {
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
      ...(fault && { expected: fault.expected, came: fault.came, lastWords: candidate.lastStderr }),
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
