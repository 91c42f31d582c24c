// `kinesis-multilang connect`: runs the daemon with a connector as its record processor.

import { Command, InvalidArgumentError } from "commander";
import type { ConnectorInput, LoadedConnector } from "../config/connector/loadConnector.ts";
import type { HeldSignals } from "../heldSignals.ts";
import { UserError } from "../model/errors.ts";
import { inPackage } from "../package.ts";
import { counted } from "../plural.ts";
import { type DaemonOptions, daemonOptions, runDaemon } from "./run.ts";
import { untilInterrupted } from "./untilInterrupted.ts";

/** Records that `--dry-run` shows. */
const PREVIEWED = 10;

interface ConnectOptions extends DaemonOptions {
  readonly propertiesFile?: string;
  readonly to?: string;
  readonly stream?: string;
  readonly path?: string;
  readonly bucket?: string;
  readonly prefix?: string;
  readonly set: Readonly<Record<string, string>>;
  readonly dryRun: boolean;
}

export function connectCommand(signals: HeldSignals): Command {
  const command = new Command("connect")
    .summary("load a stream into another system")
    .description(
      "Runs the daemon with a connector: it transforms, filters and buffers the records of a stream, and writes them to a target. " +
        "Takes properties files of the Kinesis Connector Library, too.",
    )
    .option("-p, --properties-file <file>", "the properties file of daemon and connector")
    .option("--to <target>", "the kind of target (connectorDestination)")
    .option("--stream <name>", "the stream (streamName)")
    .option("--path <file>", "the file that is appended to (path)")
    .option("--bucket <name>", "the S3 bucket (s3Bucket)")
    .option("--prefix <name>", "how names of S3 objects begin (prefix)")
    .option("--set <key=value>", "any other property; may be repeated", property, {})
    .option("--dry-run", "show what would be written, and write nothing", false);
  for (const option of daemonOptions()) command.addOption(option);
  return command.action(async (options: ConnectOptions) => {
    process.exitCode = await connect(options, signals);
  });
}

/** For an option that is a property. */
export function property(text: string, before: Readonly<Record<string, string>>) {
  const [, key, value = ""] = /^([\w.]+)\s*=(.*)$/s.exec(text) ?? [];
  if (key === undefined) throw new InvalidArgumentError("Write KEY=VALUE.");
  return { ...before, [key]: value };
}

/** @returns the exit code. */
async function connect(options: ConnectOptions, signals: HeldSignals): Promise<number> {
  const { propertiesFile: file, to, stream, path, bucket, prefix, set, dryRun } = options;
  if (file === undefined && to === undefined) {
    throw new UserError(
      "Name a properties file (connect -p FILE), or a target (connect --to file)",
    );
  }
  const flags = {
    ...set,
    ...(to !== undefined && { connectorDestination: to }),
    ...(stream !== undefined && { streamName: stream }),
    ...(path !== undefined && { path }),
    ...(bucket !== undefined && { s3Bucket: bucket }),
    ...(prefix !== undefined && { prefix }),
    ...(options.http !== undefined && { httpListen: options.http }),
  };
  const input: ConnectorInput = { file, flags };
  return dryRun ? showPreview(await load(input), signals) : runConnector(input, options, signals);
}

/** @returns the exit code. */
export async function runConnector(
  input: ConnectorInput,
  options: DaemonOptions,
  signals: HeldSignals,
): Promise<number> {
  const loaded = await load(input);
  const { checkConnector } = await import("../connectors/openConnector.ts");
  await checkConnector(loaded);
  if (loaded.values.connectorDestination !== "stdout") {
    return runDaemon(async () => [loaded.daemon], options, signals);
  }
  const { openOutlet } = await import("../connectors/outlet.ts");
  // Without a reader there is nothing to do. The daemon stops as for any other SIGTERM.
  const outlet = await openOutlet(process.stdout, () => process.kill(process.pid, "SIGTERM"));
  try {
    const { daemon } = await load({ ...input, outlet: outlet.path });
    return await runDaemon(async () => [daemon], options, signals);
  } finally {
    await outlet.close();
  }
}

async function load(input: ConnectorInput): Promise<LoadedConnector> {
  const { loadConnector } = await import("../config/connector/loadConnector.ts");
  const program = inPackage("dist/connector.js");
  const command = [process.execPath, ...process.execArgv, program, JSON.stringify(input)];
  return loadConnector(input, command);
}

/** Reads the oldest records without a lease, and writes nothing. */
async function showPreview(loaded: LoadedConnector, signals: HeldSignals): Promise<number> {
  signals.release();
  const { peek } = await import("../operator/peek.ts");
  const { preview } = await import("../connectors/preview.ts");
  await untilInterrupted(async (signal) => {
    const records = await peek(loaded.daemon.settings, PREVIEWED, signal);
    const { target, lines } = await preview(loaded, records);
    for (const line of lines) console.log(line);
    const stream = loaded.daemon.settings.streamName;
    console.log(
      `Dry run on the oldest ${counted(records.length, "record")} of ${stream}. Nothing was written to ${target}.`,
    );
  });
  return 0;
}
