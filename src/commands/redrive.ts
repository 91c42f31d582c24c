// `kinesis-multilang redrive`: sends dead letters to a stream or to a record processor.

import { Command, Option } from "commander";
import type { LetterSource } from "../deadLetters/letterSource.ts";
import type { RedriveOutcome, RedriveTarget } from "../deadLetters/redrive.ts";
import type { Event } from "../events.ts";
import { describe } from "../listeners/logLines.ts";
import { DIALECT_CHOICES, type DialectChoice } from "../model/dialect.ts";
import { UserError } from "../model/errors.ts";
import { counted } from "../plural.ts";
import { redact } from "../redact.ts";
import type { ServiceContext } from "../sinks/serviceClients.ts";
import { endpointUrl, numberFrom } from "./numbers.ts";
import { shardId } from "./shardIds.ts";
import { untilInterrupted } from "./untilInterrupted.ts";

interface Options {
  readonly propertiesFile?: string;
  readonly toStream?: string | true;
  readonly shard?: string;
  readonly dryRun: boolean;
  readonly batchSize: number;
  readonly timeout?: number;
  readonly dialect: DialectChoice;
  readonly endpoint?: string;
  readonly region?: string;
}

/** The most that one GetRecords call returns. */
const MAX_BATCH_SIZE = 10_000;
const DAY_SECONDS = 86_400;

export function redriveCommand(): Command {
  return new Command("redrive")
    .summary("send dead letters to a stream or to a record processor")
    .description(
      "Reads dead letters from a file, an SQS queue or an S3 bucket, and puts their records on a stream, or sends them to a record " +
        "processor. A letter that was redriven is not redriven again: redrive notes it in FILE.redriven, deletes its message, or " +
        "moves it to PREFIX/redriven/ in the bucket.",
    )
    .argument(
      "[file]",
      "the file, or sqs:… or s3:…, with the dead letters; default: onFailureDestination of -p",
    )
    .argument(
      "[command...]",
      "after --: the record processor, as in: redrive FILE -- python3 app.py",
    )
    .option(
      "-p, --properties-file <file>",
      "take onFailureDestination, region, endpoint and credentials from this properties file",
    )
    .option(
      "--to-stream [name]",
      "put the records on this stream; without a name, on the stream that each record came from",
    )
    .option("--shard <id>", "redrive only letters of this shard, by its id or number", shardId)
    .option("--dry-run", "show the letters that would be redriven, and change nothing", false)
    .option(
      "--batch-size <n>",
      "the most records in one message to the processor",
      numberFrom({ min: 1, max: MAX_BATCH_SIZE, integer: true }),
      1,
    )
    .option(
      "--timeout <seconds>",
      "how long to wait for a response of the processor",
      numberFrom({ min: 0.001, max: DAY_SECONDS }),
    )
    .addOption(
      new Option("--dialect <dialect>", "the form of the messages that end the processor's work")
        .choices(DIALECT_CHOICES)
        .default("auto"),
    )
    .option("--endpoint <url>", "the Kinesis endpoint (or AWS_ENDPOINT_URL_KINESIS)", endpointUrl)
    .option("-r, --region <name>", "the AWS region (or AWS_REGION)")
    .action(
      async (_file: string | undefined, _command: string[], options: Options, command: Command) => {
        process.exitCode = await run(argumentsOf(command), options);
      },
    );
}

interface Arguments {
  readonly places: readonly string[];
  readonly command: readonly string[];
}

/** Separates the arguments before `--` from those after it: commander puts both into one list. */
function argumentsOf({ args }: Command): Arguments {
  const dashes = process.argv.indexOf("--");
  const count = dashes < 0 ? 0 : process.argv.length - dashes - 1;
  const places = args.slice(0, args.length - count);
  return { places, command: args.slice(places.length) };
}

/** @returns the exit code: 0 when every letter with a payload was redriven. */
async function run({ places, command }: Arguments, options: Options): Promise<number> {
  const [place, ...more] = places;
  const targets = [command.length > 0, options.toStream !== undefined].filter(Boolean).length;
  if (more.length > 0)
    throw new UserError(
      `Expected one source of dead letters, but found ${places.length}: ${places.join(" ")}`,
    );
  if (targets !== 1 && !(options.dryRun && targets === 0)) {
    throw new UserError(
      "Name one target: either --to-stream [NAME], or -- COMMAND (a record processor).",
    );
  }
  const { context, destination } = await openContext(options);
  const from = place ?? destination;
  if (!from)
    throw new UserError(
      "Name the file with the dead letters, or a properties file with onFailureDestination (-p FILE).",
    );
  const { openSource } = await import("../deadLetters/openSource.ts");
  const source = await openSource(from, context, Date.now);
  try {
    return options.dryRun
      ? await show(source, options)
      : await redriveAll(source, await openTarget(command, options, context), options);
  } finally {
    await source.close();
  }
}

async function redriveAll(
  source: LetterSource,
  to: RedriveTarget,
  { shard }: Options,
): Promise<number> {
  const { redrive } = await import("../deadLetters/redrive.ts");
  try {
    return await untilInterrupted(async (signal) => {
      const report = (line: string) => console.error(line);
      const outcome = await redrive({ source, target: to, shardId: shard, signal, report });
      console.log(summary(outcome, source, to));
      return outcome.failed + outcome.withoutData > 0 || signal.aborted ? 1 : 0;
    });
  } finally {
    await to.close();
  }
}

async function show(source: LetterSource, { shard }: Options): Promise<number> {
  let [count, before] = [0, 0];
  for await (const { letters, done } of source.read(shard)) {
    for (const { shardId, sequenceNumber, subSequenceNumber, ...letter } of letters) {
      const { partitionKey, buriedAt, attempts, condition, cause, data } = letter;
      const place = `${shardId} ${sequenceNumber}${subSequenceNumber > 0 ? `#${subSequenceNumber}` : ""}`;
      const size =
        data === undefined ? "no payload" : `${counted(Buffer.byteLength(data, "base64"), "byte")}`;
      const how = cause.exitCode ?? cause.signal ?? cause.reason;
      console.log(
        `${place}  key ${JSON.stringify(partitionKey)}, ${size}, ${counted(attempts, "attempt")} (${condition}; ${how}), ${buriedAt}`,
      );
    }
    count += letters.length;
    before += done;
  }
  console.log(
    `${counted(count, "dead letter")} in ${source.name} would be redriven. ${counted(before, "other was", "others were")} redriven before.`,
  );
  return 0;
}

function summary(
  { redriven, failed, withoutData, done, incomplete }: RedriveOutcome,
  source: LetterSource,
  to: RedriveTarget,
): string {
  const rest = [
    failed > 0 &&
      counted(failed, "could not be processed and stays", "could not be processed and stay"),
    withoutData > 0 &&
      `${counted(withoutData, "has no payload and stays", "have no payload and stay")}: read the records from the stream before its retention period ends`,
    done > 0 && `${counted(done, "was", "were")} redriven before`,
    incomplete > 0 &&
      `${counted(incomplete, "incomplete piece was", "incomplete pieces were")} skipped`,
  ].filter((part) => part !== false);
  return [
    `${counted(redriven, "dead letter")} from ${source.name} went to ${to.name}`,
    ...rest,
  ].join("; ");
}

async function openTarget(
  [file, ...args]: readonly string[],
  options: Options,
  context: ServiceContext,
): Promise<RedriveTarget> {
  if (file !== undefined) {
    const { processorTarget } = await import("../deadLetters/processorTarget.ts");
    const { batchSize, timeout, dialect } = options;
    const timeoutMs = timeout === undefined ? {} : { timeoutMs: timeout * 1000 };
    const command = { file, args };
    return processorTarget({ command, batchSize, ...timeoutMs, dialect, emit: context.emit });
  }
  const { awsOptions } = await import("../aws/options.ts");
  const { streamTarget } = await import("../deadLetters/streamTarget.ts");
  const { toStream } = options;
  const name = typeof toStream === "string" ? toStream : undefined;
  return streamTarget(await awsOptions(context.settings, "kinesis", { emit: context.emit }), name);
}

/** The region, endpoint and credentials of the properties file, or those of the command line. */
async function openContext(
  options: Options,
): Promise<{ readonly context: ServiceContext; readonly destination?: string }> {
  const { propertiesFile, endpoint, region } = options;
  if (propertiesFile !== undefined) {
    const { loadSettings } = await import("../config/loadSettings.ts");
    const { settings } = loadSettings({ file: propertiesFile });
    const { onFailureDestination: destination } = settings;
    return { context: { settings, emit }, ...(destination !== undefined && { destination }) };
  }
  const service = {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    credentials: [{ type: "default" }],
  } as const;
  const services = { kinesis: service, dynamodb: service, cloudwatch: service };
  return { context: { settings: { services }, emit } };
}

/** Prints the processor's output, and warnings and errors. */
function emit(event: Event): void {
  const { level, message } = describe(event);
  if (event.type === "childOutput") console.error(redact(event.line));
  else if (level === "warn" || level === "error") console.error(redact(message));
}
