// `kinesis-multilang try`: runs a processor on records from a file, with the real protocol and
// without AWS.

import { statSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { AttachPoint } from "../child/attach/attach.ts";
import { parseAttachAddress } from "../child/attach/attachAddress.ts";
import { systemClock } from "../clock.ts";
import { SeenOutput } from "../listeners/seenOutput.ts";
import { DIALECT_NAMES, type DialectName } from "../model/dialect.ts";
import { type CheckpointErrorName, UserError } from "../model/errors.ts";
import { ENDS, type End } from "../try/queueReader.ts";
import { eventLine, isComplete, summary } from "../try/report.ts";
import { ENCODINGS, type Encoding, FORMATS, type Format, openRecords } from "../try/sources.ts";
import { Tally } from "../try/tally.ts";
import { Trial } from "../try/trial.ts";
import { numberFrom } from "./numbers.ts";

interface Options {
  /** When absent: the file before the command, or STDIN. */
  readonly records?: string;
  readonly format?: Format;
  readonly encoding: Encoding;
  readonly batchSize: number;
  readonly shards: number;
  readonly rate?: number;
  readonly failCheckpoint: readonly Failure[];
  readonly end: End;
  readonly dialect: DialectName;
  readonly timeout?: number;
  readonly attach?: string;
  readonly quiet?: boolean;
}

interface Failure {
  readonly error: CheckpointErrorName;
  readonly times: number;
}

/** The most records that one GetRecords call returns. */
const MAX_BATCH_SIZE = 10_000;
/** Each shard has its own process. */
const MAX_SHARDS = 100;

export function tryCommand(): Command {
  return new Command("try")
    .summary("run a processor on records from a file")
    .description(
      "Runs a record processor on records from a file. Needs no AWS. The exit code is 0 when every record was delivered and checkpointed.",
    )
    .passThroughOptions()
    .argument("[command...]", "the processor, after --: try --records words.txt -- python3 app.py")
    .option(
      "--records <path>",
      "a file, a folder (each file is a record), or - for STDIN (the default)",
    )
    .addOption(
      new Option(
        "--format <format>",
        "the format of the records (default: by the file's name)",
      ).choices(FORMATS),
    )
    .addOption(
      new Option("--encoding <encoding>", "the encoding of lines, and of the CSV column data")
        .choices(ENCODINGS)
        .default("text"),
    )
    .option("--batch-size <n>", "records in a batch", whole(1, MAX_BATCH_SIZE), 100)
    .option("--shards <n>", "number of shards, each with its own process", whole(1, MAX_SHARDS), 1)
    .option("--rate <n>", "records per second", numberFrom({ min: 0.001, max: 1_000_000 }))
    .option(
      "--fail-checkpoint <error[:times]>",
      "let the first checkpoints of each shard fail, such as throttling:2 (may be repeated)",
      failure,
      [],
    )
    .addOption(
      new Option("--end <ending>", "what happens after the last record")
        .choices(ENDS)
        .default("shardEnded"),
    )
    .addOption(
      new Option(
        "--dialect <dialect>",
        "the messages that end the processor: those of KCL 2.x or KCL 1.x",
      )
        .choices(DIALECT_NAMES)
        .default("kcl2"),
    )
    .option(
      "--timeout <seconds>",
      "how long the processor may take to answer",
      numberFrom({ min: 0.001, max: 86_400 }),
    )
    .option("--attach <address>", "wait for a processor that you start: unix:PATH or tcp:PORT")
    .option("--quiet", "print only the summary")
    .addHelpText("after", HELP)
    .action(run);
}

const HELP = `
Formats:
  ndjson (.ndjson, .jsonl)  {"text":"cat"}, {"json":{"any":"thing"}} or {"data":"Y2F0"} (base64) on each line.
                            Optional: partitionKey, sequenceNumber, subSequenceNumber,
                            approximateArrivalTimestamp.
  csv (.csv)                A header, then rows. The data is the column data if there is one, and
                            otherwise the row as a JSON object.
  files (a folder)          Each file is a record.
  lines (any other file)    Each line is a record.

Errors of --fail-checkpoint: ${Object.keys(errors()).join(", ")}.`;

async function run(argv: readonly string[], given: Options): Promise<void> {
  const { command, options } =
    given.records === undefined ? recordsFirst(argv, given) : { command: argv, options: given };
  const processor = await chooseProcessor(command, options);
  try {
    await tryOn(processor, options);
  } finally {
    if ("close" in processor) processor.close();
  }
}

/** `try FILE -- COMMAND`: a first argument that is not a program is the path of the records. */
function recordsFirst(
  [first, ...rest]: readonly string[],
  options: Options,
): { readonly command: readonly string[]; readonly options: Options } {
  const file = first === undefined ? undefined : statSync(first, { throwIfNoEntry: false });
  if (first === undefined || !file || (file.isFile() && (file.mode & ANY_EXECUTE) !== 0)) {
    return { command: first === undefined ? [] : [first, ...rest], options };
  }
  const command = rest[0] === "--" ? rest.slice(1) : rest;
  return { command, options: { ...options, records: first } };
}

/** The execute bits of owner, group and others. */
const ANY_EXECUTE = 0o111;

/** The command, or the socket where the user's processor connects. */
async function chooseProcessor(
  [file, ...args]: readonly string[],
  { attach, shards, timeout }: Options,
): Promise<AttachPoint | readonly [string, ...string[]]> {
  if (attach === undefined) {
    if (file === undefined)
      throw new UserError(`The processor is missing. Name one: ${EXAMPLE} (or see --attach)`);
    return [file, ...args];
  }
  if (file !== undefined) {
    throw new UserError(`--attach waits for a processor that you start: remove "${file}"`);
  }
  if (shards > 1) throw new UserError("--attach runs one shard at a time: remove --shards");
  if (timeout !== undefined) {
    throw new UserError("An attached processor has no timeout: remove --timeout");
  }
  return AttachPoint.open(parseAttachAddress(attach));
}

const EXAMPLE = "kinesis-multilang try --records words.txt -- python3 app.py";

async function tryOn(
  processor: AttachPoint | readonly [string, ...string[]],
  options: Options,
): Promise<void> {
  const { records: path = "-", format, encoding } = options;
  const records = await openRecords(path, format, encoding);
  const tally = new Tally();
  const seen = new SeenOutput();
  const trial = new Trial({
    processor,
    shards: options.shards,
    batchSize: options.batchSize,
    ...(options.rate !== undefined && { rate: options.rate }),
    end: options.end,
    dialect: options.dialect,
    failCheckpoints: options.failCheckpoint,
    ...(options.timeout !== undefined && { timeoutMs: options.timeout * 1000 }),
    clock: systemClock,
    emit: (event) => {
      tally.add(event);
      seen.saw(event);
      const needed = !options.quiet || event.type === "waitingForAttachment";
      const line = needed ? eventLine(event) : undefined;
      if (line !== undefined) console.log(line);
    },
    delivering: (shardId, positions) => tally.delivering(shardId, positions),
  });
  const outcome = await interruptible(trial, () => trial.run(records));
  const shards = outcome.shards.map((shard) =>
    options.quiet ? shard : { ...shard, error: seen.unquoted(shard.error) },
  );
  console.log(`\n${summary(tally, { ...outcome, shards })}`);
  if (!isComplete(tally, outcome)) process.exitCode = 1;
}

/** The first Ctrl-C ends the trial as a worker would; the second ends it at once. */
async function interruptible<T>(trial: Trial, work: () => Promise<T>): Promise<T> {
  let interrupted = false;
  const interrupt = () => {
    if (interrupted) trial.kill();
    else trial.stop();
    interrupted = true;
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt).on("SIGHUP", interrupt);
  try {
    return await work();
  } finally {
    // If the other side keeps STDIN open, this process would not end.
    if (process.stdin.readableFlowing !== null) process.stdin.destroy();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt).off("SIGHUP", interrupt);
  }
}

function whole(min: number, max: number) {
  return numberFrom({ min, max, integer: true });
}

function failure(text: string, before: readonly Failure[]): Failure[] {
  const [name = "", times = "1"] = text.split(":");
  const error = errors()[name];
  if (!error || !/^[1-9]\d{0,5}$/.test(times)) {
    throw new InvalidArgumentError(
      `Allowed: ${Object.keys(errors()).join(", ")}, with an optional count, such as throttling:2.`,
    );
  }
  return [...before, { error, times: Number(times) }];
}

function errors(): Readonly<Record<string, CheckpointErrorName>> {
  return {
    throttling: "ThrottlingException",
    dependency: "KinesisClientLibDependencyException",
    invalidState: "InvalidStateException",
    shutdown: "ShutdownException",
    illegalArgument: "IllegalArgumentException",
  };
}
