// `kinesis-multilang conformance`: plays the transcripts for clients to a processor, or those of
// the producer protocol to a producer, and prints the results.

import { Command, InvalidArgumentError, Option } from "commander";
import { DIALECT_NAMES, type DialectName } from "../model/dialect.ts";
import { UserError } from "../model/errors.ts";
import { clientTranscripts } from "../transcript/library.ts";
import { startLoopbackStream } from "../transcript/loopbackStream.ts";
import { jsonPayload, payloadsInTurn } from "../transcript/payload.ts";
import { DEFAULT_STEP_LIMIT_MS, type PlayResult, playClient } from "../transcript/playClient.ts";
import { playProducer } from "../transcript/playProducer.ts";
import { producerTranscripts } from "../transcript/producerTranscript.ts";
import { FORMATS, type Format, openRecords } from "../try/sources.ts";

interface Options {
  readonly producer?: boolean;
  readonly json?: boolean;
  readonly only?: string;
  readonly dialect: DialectName;
  readonly stepLimit: number;
  readonly jobs: number;
  readonly payload: "words" | "json";
  readonly records?: string;
  readonly format?: Format;
}

/** Far more than the transcripts use. */
const MAX_RECORDS = 1_000;

export function conformanceCommand(): Command {
  return new Command("conformance")
    .summary("check that a processor or a producer follows the protocol")
    .description(
      "Checks a record processor, or a producer, against the transcripts of its protocol. Needs no AWS. The exit code is 0 when no transcript fails.",
    )
    .passThroughOptions()
    .argument("<command...>", "the processor, after --: conformance -- python3 app.py")
    .addOption(
      new Option(
        "--producer",
        "check a producer: conformance --producer -- kinesis-multilang produce --protocol -s words",
      ).conflicts(["payload", "records", "format", "dialect"]),
    )
    .option("--json", "print one JSON object with all results")
    .addOption(
      new Option(
        "--payload <kind>",
        "the data of the records: words, or JSON objects that contain them",
      )
        .choices(["words", "json"])
        .default("words"),
    )
    .addOption(
      new Option(
        "--records <path>",
        "use the data of these records instead, in the formats of try",
      ).conflicts("payload"),
    )
    .addOption(new Option("--format <format>", "the format of --records").choices(FORMATS))
    .option("--only <words>", "play only the transcripts whose name contains this text")
    .addOption(
      new Option(
        "--dialect <dialect>",
        "the messages that end the processor: those of KCL 2.x or KCL 1.x",
      )
        .choices(DIALECT_NAMES)
        .default("kcl2"),
    )
    .option(
      "--step-limit <ms>",
      "how long the program may take for a message, in milliseconds",
      count,
      DEFAULT_STEP_LIMIT_MS,
    )
    .option("--jobs <n>", "the number of transcripts to play at the same time", count, 2)
    .action(async (argv: string[], options: Options) => {
      const verdicts = await playAll(argv, options);
      if (options.json) console.log(JSON.stringify(report(argv, verdicts), null, 2));
      else console.log(["", summary(verdicts, options), ...advice(verdicts)].join("\n"));
      if (verdicts.some(({ outcome }) => outcome === "failed")) process.exitCode = 1;
    });
}

async function playAll(argv: readonly string[], options: Options): Promise<PlayResult[]> {
  const { dialect, stepLimit: stepLimitMs } = options;
  if (options.producer) {
    const stream = await startLoopbackStream();
    const play = { argv, stepLimitMs, endpoint: stream.url };
    return playThese(await producerTranscripts(), options, (transcript) =>
      playProducer(transcript, play),
    ).finally(() => stream.stop());
  }
  const payload = await payloadOf(options);
  return playThese(await clientTranscripts(dialect), options, (transcript) =>
    playClient(transcript, { argv, dialect, stepLimitMs, ...(payload && { payload }) }),
  );
}

/** Plays those that `only` selects. */
async function playThese<Played extends { readonly name: string }>(
  all: readonly Played[],
  { only = "", json, jobs }: Options,
  play: (transcript: Played) => Promise<PlayResult>,
): Promise<PlayResult[]> {
  const transcripts = all.filter(({ name }) => name.includes(only));
  if (transcripts.length === 0) throw new UserError(`No transcript has "${only}" in its name`);
  const width = Math.max(...transcripts.map(({ name }) => name.length));
  const show = json ? () => {} : (verdict: PlayResult) => console.log(row(verdict, width));
  return inOrder(transcripts, jobs, show, play);
}

async function payloadOf({ payload, records, format }: Options) {
  if (records === undefined) return payload === "json" ? () => jsonPayload : undefined;
  const all: string[] = [];
  for await (const { data } of await openRecords(records, format, "text")) {
    if (all.push(data) === MAX_RECORDS) break;
  }
  if (all.length === 0) throw new UserError(`${records} contains no record`);
  return () => payloadsInTurn(all);
}

/**
 * Plays `jobs` transcripts at a time and shows each result once all earlier ones are shown. The
 * first error ends all.
 */
async function inOrder<Played>(
  transcripts: readonly Played[],
  jobs: number,
  show: (verdict: PlayResult) => void,
  play: (transcript: Played) => Promise<PlayResult>,
): Promise<PlayResult[]> {
  const verdicts: PlayResult[] = [];
  const waiting = transcripts.entries();
  let shown = 0;
  let over = false;
  const work = async (): Promise<void> => {
    try {
      for (const [index, transcript] of waiting) {
        if (over) return;
        verdicts[index] = await play(transcript);
        for (let next = verdicts[shown]; next; next = verdicts[++shown]) show(next);
      }
    } finally {
      over = true;
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return verdicts;
}

const MARKS = { passed: "passed", failed: "FAILED", "not exercised": "-" } as const;

function row(verdict: PlayResult, width: number): string {
  const {
    transcript,
    outcome,
    sentence,
    behaviour,
    expected,
    came,
    noise,
    lastWords = [],
  } = verdict;
  const lines = [
    `${MARKS[outcome].padEnd(6)}  ${sentence.padEnd(3)}  ${transcript.padEnd(width)}  ${behaviour}`,
  ];
  if (outcome === "failed") {
    lines.push(`        expected: ${expected}`, `        came:     ${came}`);
    lines.push(...lastWords.map((line) => `        | ${line}`));
  }
  lines.push(...noise.map((line) => `        on STDOUT, not a message: ${line}`));
  return lines.join("\n");
}

function summary(verdicts: readonly PlayResult[], { dialect }: Options): string {
  const total = tally(verdicts);
  const parts = [`${total.passed} passed`, `${total.failed} failed`];
  if (total.notExercised > 0) {
    const orOlder = dialect === "kcl1" ? ", or does not know shutdownRequested" : "";
    const why = `the processor made no checkpoint there${orOlder}`;
    parts.push(`${total.notExercised} not exercised (-: ${why})`);
  }
  return parts.join(", ");
}

/** A processor that fails at every batch probably follows the protocol and rejects the payload. */
function advice(verdicts: readonly PlayResult[]): readonly string[] {
  const sent = verdicts.some(({ batches }) => batches.sent > 0);
  const processed = verdicts.some(({ batches }) => batches.processed > 0);
  return sent && !processed ? [EVERY_BATCH_FAILED] : [];
}

const EVERY_BATCH_FAILED =
  'Every batch of records failed: the processor probably rejects the payload (by default words, such as "cat dog"). ' +
  "Use records that it accepts: --records FILE, or --payload json for JSON objects.";

function report(argv: readonly string[], verdicts: readonly PlayResult[]) {
  const [hint] = advice(verdicts);
  const remark = hint === undefined ? {} : { advice: hint };
  return { protocolVersion: 1, command: argv, ...tally(verdicts), ...remark, verdicts };
}

function tally(verdicts: readonly PlayResult[]) {
  const number = (outcome: PlayResult["outcome"]): number =>
    verdicts.filter((verdict) => verdict.outcome === outcome).length;
  return {
    passed: number("passed"),
    failed: number("failed"),
    notExercised: number("not exercised"),
  };
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("Allowed: a whole number from 1.");
  return value;
}
