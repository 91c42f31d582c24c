// `kinesis-multilang redrive`: dead letters back on the stream, or through a processor.

import { Command, Option } from "commander";
import type { RedriveOutcome, RedriveTarget } from "../deadLetters/redrive.ts";
import type { LetterSource } from "../deadLetters/source.ts";
import type { Event } from "../events.ts";
import { describe } from "../listeners/logLines.ts";
import { DIALECT_CHOICES, type DialectChoice } from "../model/dialect.ts";
import { UserError } from "../model/errors.ts";
import { counted } from "../plural.ts";
import { redact } from "../redact.ts";
import type { Reach } from "../sinks/reach.ts";
import { endpointUrl, numberFrom } from "./numbers.ts";
import { shardId } from "./shardIds.ts";

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
    .summary("put dead letters back on the stream, or through a processor")
    .description(
      "Takes dead letters from a file and puts them back on a stream, or gives them to a processor. " +
        "What was redriven is noted in FILE.redriven and not redriven again.",
    )
    .argument("[file]", "the file with the dead letters, if -p does not say it")
    .argument("[command...]", "after --: a record processor, as in: redrive FILE -- python3 app.py")
    .option(
      "-p, --properties-file <file>",
      "a daemon's: its onFailureDestination, region, endpoint",
    )
    .option("--to-stream [name]", "put the records on this stream, or on the one they came from")
    .option("--shard <id>", "letters of this shard alone, by its id or number", shardId)
    .option("--dry-run", "show what would be redriven", false)
    .option(
      "--batch-size <n>",
      "records that a processor is given at once",
      numberFrom({ min: 1, max: MAX_BATCH_SIZE, integer: true }),
      1,
    )
    .option(
      "--timeout <seconds>",
      "how long a processor may owe an answer",
      numberFrom({ min: 0.001, max: DAY_SECONDS }),
    )
    .addOption(
      new Option("--dialect <dialect>", "the messages at a processor's end")
        .choices(DIALECT_CHOICES)
        .default("auto"),
    )
    .option("--endpoint <url>", "the Kinesis endpoint (or AWS_ENDPOINT_URL_KINESIS)", endpointUrl)
    .option("-r, --region <name>", "the AWS region (or AWS_REGION)")
    .action(
      async (_file: string | undefined, _command: string[], options: Options, command: Command) => {
        process.exitCode = await run(wordsOf(command), options);
      },
    );
}

interface Words {
  readonly places: readonly string[];
  readonly command: readonly string[];
}

/** What stands before `--` and after it; commander puts both into one list. */
function wordsOf({ args }: Command): Words {
  const dashes = process.argv.indexOf("--");
  const count = dashes < 0 ? 0 : process.argv.length - dashes - 1;
  const places = args.slice(0, args.length - count);
  return { places, command: args.slice(places.length) };
}

/** @returns the exit code: 0 when nothing is left that could have been redriven. */
async function run({ places, command }: Words, options: Options): Promise<number> {
  const [place, ...more] = places;
  const targets = [command.length > 0, options.toStream !== undefined].filter(Boolean).length;
  if (more.length > 0) throw new UserError(`Expected one file, but found ${places.length}.`);
  if (targets !== 1 && !(options.dryRun && targets === 0)) {
    throw new UserError("Say where to: either --to-stream [NAME], or -- COMMAND (a processor).");
  }
  const { reach, destination } = await surroundings(options);
  const from = place ?? destination;
  if (!from) throw new UserError("Name the file with the dead letters, or -p a properties file.");
  const { openSource } = await import("../deadLetters/openSource.ts");
  const source = await openSource(from, reach, Date.now);
  try {
    return options.dryRun
      ? await show(source, options)
      : await drive(source, await target(command, options, reach), options);
  } finally {
    await source.close();
  }
}

async function drive(source: LetterSource, to: RedriveTarget, { shard }: Options): Promise<number> {
  const { redrive } = await import("../deadLetters/redrive.ts");
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt).once("SIGHUP", interrupt);
  try {
    const say = (line: string) => console.error(line);
    const outcome = await redrive({ source, target: to, shardId: shard, signal: stop.signal, say });
    console.log(summary(outcome, source, to));
    return outcome.failed + outcome.withoutData > 0 || stop.signal.aborted ? 1 : 0;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt).off("SIGHUP", interrupt);
    await to.close();
  }
}

async function show(source: LetterSource, { shard }: Options): Promise<number> {
  let [count, before] = [0, 0];
  for await (const { letters, done } of source.find(shard)) {
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
    `${counted(count, "dead letter")} in ${source.name} would be redriven, ${counted(before, "was", "were")} before.`,
  );
  return 0;
}

function summary(
  { redriven, failed, withoutData, done, torn }: RedriveOutcome,
  source: LetterSource,
  to: RedriveTarget,
): string {
  const rest = [
    failed > 0 &&
      `${counted(failed, "could not be processed and stays", "could not be processed and stay")}`,
    withoutData > 0 &&
      `${counted(withoutData, "has no payload and stays", "have no payload and stay")}: read the records from the stream while it keeps them`,
    done > 0 && `${counted(done, "was", "were")} redriven before`,
    torn > 0 && `${counted(torn, "torn piece was", "torn pieces were")} passed over`,
  ].filter((part) => part !== false);
  return [
    `${counted(redriven, "dead letter")} from ${source.name} went to ${to.name}`,
    ...rest,
  ].join("; ");
}

async function target(
  [file, ...args]: readonly string[],
  options: Options,
  reach: Reach,
): Promise<RedriveTarget> {
  if (file !== undefined) {
    const { processorTarget } = await import("../deadLetters/processorTarget.ts");
    const { batchSize, timeout, dialect } = options;
    const timeoutMs = timeout === undefined ? {} : { timeoutMs: timeout * 1000 };
    const command = { file, args };
    return processorTarget({ command, batchSize, ...timeoutMs, dialect, emit: reach.emit });
  }
  const { awsOptions } = await import("../aws/options.ts");
  const { streamTarget } = await import("../deadLetters/streamTarget.ts");
  const { toStream } = options;
  const name = typeof toStream === "string" ? toStream : undefined;
  return streamTarget(await awsOptions(reach.settings, "kinesis", { emit: reach.emit }), name);
}

/** Region, endpoint and credentials: a daemon's, or those of the command line. */
async function surroundings(
  options: Options,
): Promise<{ readonly reach: Reach; readonly destination?: string }> {
  const { propertiesFile, endpoint, region } = options;
  if (propertiesFile !== undefined) {
    const { loadSettings } = await import("../config/loadSettings.ts");
    const { settings } = loadSettings({ file: propertiesFile });
    const { onFailureDestination: destination } = settings;
    return { reach: { settings, emit }, ...(destination !== undefined && { destination }) };
  }
  const service = {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    credentials: [{ type: "default" }],
  } as const;
  const services = { kinesis: service, dynamodb: service, cloudwatch: service };
  return { reach: { settings: { services }, emit } };
}

/** What a processor says, and what a person should know. */
function emit(event: Event): void {
  const { level, message } = describe(event);
  if (event.type === "childOutput") console.error(redact(event.line));
  else if (level === "warn" || level === "error") console.error(redact(message));
}
