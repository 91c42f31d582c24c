// `conformance`: plays every transcript for clients against a processor executable and prints what it found.

import { Command, InvalidArgumentError, Option } from "commander";
import { DIALECT_NAMES, type DialectName } from "../model/dialect.ts";
import { UserError } from "../model/errors.ts";
import { clientTranscripts } from "../transcript/library.ts";
import { jsonPayload, payloadsInTurn } from "../transcript/payload.ts";
import { DEFAULT_STEP_LIMIT_MS, playClient, type Verdict } from "../transcript/playClient.ts";
import type { Transcript } from "../transcript/transcript.ts";
import { FORMATS, type Format, openRecords } from "../try/sources.ts";

interface Options {
  readonly json?: boolean;
  readonly only?: string;
  readonly dialect: DialectName;
  readonly stepLimit: number;
  readonly jobs: number;
  readonly payload: "words" | "json";
  readonly records?: string;
  readonly format?: Format;
}

/** As many as the transcripts need by far. */
const MAX_RECORDS = 1_000;

export function conformanceCommand(): Command {
  return new Command("conformance")
    .description("Judge a record processor by the transcripts of the protocol; needs no AWS.")
    .passThroughOptions()
    .argument("<command...>", "the processor, after --: conformance -- python3 app.py")
    .option("--json", "one JSON object for all, on STDOUT")
    .addOption(
      new Option("--payload <kind>", "what the records hold: words, or each word in a JSON object")
        .choices(["words", "json"])
        .default("words"),
    )
    .addOption(
      new Option(
        "--records <path>",
        "records of your own in their place, as try reads them",
      ).conflicts("payload"),
    )
    .addOption(new Option("--format <format>", "of --records").choices(FORMATS))
    .option("--only <words>", "only transcripts whose name contains this")
    .addOption(
      new Option("--dialect <dialect>", "whose messages it gets at its end: KCL 2.x or KCL 1.x")
        .choices(DIALECT_NAMES)
        .default("kcl2"),
    )
    .option("--step-limit <ms>", "how long it may be silent", count, DEFAULT_STEP_LIMIT_MS)
    .option("--jobs <n>", "how many to play at the same time", count, 2)
    .action(async (argv: string[], options: Options) => {
      const verdicts = await judge(argv, options);
      if (options.json) console.log(JSON.stringify(report(argv, verdicts), null, 2));
      else console.log(["", summary(verdicts, options), ...advice(verdicts)].join("\n"));
      if (verdicts.some(({ outcome }) => outcome === "failed")) process.exitCode = 1;
    });
}

async function judge(argv: readonly string[], options: Options): Promise<Verdict[]> {
  const { dialect, only = "" } = options;
  const transcripts = (await clientTranscripts(dialect)).filter(({ name }) => name.includes(only));
  if (transcripts.length === 0)
    throw new UserError(`no transcript has "${options.only}" in its name`);
  const payload = await payloadOf(options);
  const width = Math.max(...transcripts.map(({ name }) => name.length));
  const show = options.json ? () => {} : (verdict: Verdict) => console.log(row(verdict, width));
  return inOrder(transcripts, options.jobs, show, (transcript) =>
    playClient(transcript, {
      argv,
      dialect,
      stepLimitMs: options.stepLimit,
      ...(payload && { payload }),
    }),
  );
}

async function payloadOf({ payload, records, format }: Options) {
  if (records === undefined) return payload === "json" ? () => jsonPayload : undefined;
  const all: string[] = [];
  for await (const { data } of await openRecords(records, format, "text")) {
    if (all.push(data) === MAX_RECORDS) break;
  }
  if (all.length === 0) throw new UserError(`${records} holds no record`);
  return () => payloadsInTurn(all);
}

/** Plays `jobs` at a time and shows each verdict as soon as all before it are shown; the first error ends all. */
async function inOrder(
  transcripts: readonly Transcript[],
  jobs: number,
  show: (verdict: Verdict) => void,
  play: (transcript: Transcript) => Promise<Verdict>,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
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

function row(verdict: Verdict, width: number): string {
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
  lines.push(...noise.map((line) => `        on STDOUT, no message: ${line}`));
  return lines.join("\n");
}

function summary(verdicts: readonly Verdict[], { dialect }: Options): string {
  const total = tally(verdicts);
  const parts = [`${total.passed} passed`, `${total.failed} failed`];
  if (total.notExercised > 0) {
    const orOlder = dialect === "kcl1" ? ", or knows no shutdownRequested" : "";
    const why = `the processor asked for no checkpoint there${orOlder}`;
    parts.push(`${total.notExercised} not exercised (-: ${why})`);
  }
  return parts.join(", ");
}

/** A processor that fails every batch probably follows the protocol, and rejects the payload. */
function advice(verdicts: readonly Verdict[]): readonly string[] {
  const sent = verdicts.some(({ batches }) => batches.sent > 0);
  const processed = verdicts.some(({ batches }) => batches.processed > 0);
  return sent && !processed ? [EVERY_BATCH_FAILED] : [];
}

const EVERY_BATCH_FAILED =
  'Every batch of records failed: the processor seems to reject the payload (by default words, such as "cat dog"). ' +
  "Give it records that it knows: --records FILE, or --payload json for JSON objects.";

function report(argv: readonly string[], verdicts: readonly Verdict[]) {
  const [told] = advice(verdicts);
  const remark = told === undefined ? {} : { advice: told };
  return { protocolVersion: 1, command: argv, ...tally(verdicts), ...remark, verdicts };
}

function tally(verdicts: readonly Verdict[]) {
  const number = (outcome: Verdict["outcome"]): number =>
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
    throw new InvalidArgumentError("an integer from 1");
  return value;
}
