// `kinesis-multilang -p FILE`: runs the daemon, with the command line of the Java daemon.

import { access, constants } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { parseAttachAddress } from "../child/attach/attachAddress.ts";
import { formatProblem } from "../config/configError.ts";
import { unusedScopes } from "../config/environmentScope.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import type { Emit } from "../events.ts";
import type { DaemonSignal, HeldSignals } from "../heldSignals.ts";
import type { StopSignal } from "../host/ending.ts";
import { ignoresHangup, tracesOfNohup } from "../host/hangup.ts";
import { membersOf, outcomeOf } from "../host/members.ts";
import { reapAsProcessOne } from "../host/reapOrphans.ts";
import {
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  type LogOptions,
  logEvents,
} from "../listeners/log.ts";
import { UserError } from "../model/errors.ts";
import { openObservers } from "./observers.ts";
import { refuseUnlessFile } from "./positional.ts";

/** The options of every command that runs the daemon. */
export interface DaemonOptions {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly waitForStream: boolean;
  readonly http?: string;
}

interface RunOptions extends DaemonOptions {
  readonly propertiesFile?: readonly string[];
  readonly logConfiguration?: string;
  readonly attach?: string;
}

/** @param commands the names of the other commands, for a suggestion when one is mistyped. */
export function runCommand(commands: readonly string[], signals: HeldSignals): Command {
  const command = new Command("run")
    .description("run the daemon (the default command)")
    .argument("[file...]", "the properties file, if it is not given with -p")
    .option(
      "-p, --properties-file <file>",
      "the properties file; repeat it to run several applications in one daemon",
      (file: string, before: readonly string[] = []) => [...before, file],
    )
    .option(
      "-l, --log-configuration <file>",
      "accepted for compatibility and not used; see --log-level",
    )
    .option("--attach <address>", "wait for processors that you start, on unix:PATH or tcp:PORT")
    .action(async (files: string[], options: RunOptions) => {
      for (const file of files) refuseUnlessFile(file, commands);
      process.exitCode = await run(files, options, signals);
    });
  for (const option of daemonOptions()) command.addOption(option);
  return command;
}

export function daemonOptions(): readonly Option[] {
  return [
    logLevelOption(),
    logFormatOption(),
    new Option("--wait-for-stream", "wait for the stream if it does not exist yet").default(false),
    new Option("--http <address>", "serve the status page on HOST:PORT or unix:PATH (httpListen)"),
  ];
}

/** @returns the exit code. */
function run(files: readonly string[], options: RunOptions, signals: HeldSignals): Promise<number> {
  const load = async (emit: Emit) => {
    const chosen = chooseFiles(files, options, emit);
    await checkLogConfiguration(options.logConfiguration, emit);
    const { loadSettings } = await import("../config/loadSettings.ts");
    const flags = options.http ? { httpListen: options.http } : {};
    return chosen.map((file) => loadSettings({ file, flags }));
  };
  return runDaemon(load, options, signals);
}

/**
 * @param load loads the settings of each application.
 * @returns the exit code.
 */
export async function runDaemon(
  load: (emit: Emit) => Promise<readonly LoadedSettings[]>,
  options: DaemonOptions & { readonly attach?: string },
  signals: HeldSignals,
): Promise<number> {
  const advice = reapAsProcessOne();
  // The reader of the log may end first; that must not end the daemon.
  process.stderr.on("error", () => {});
  let output: NodeJS.WriteStream = process.stderr;
  const logOptions: LogOptions = {
    level: options.logLevel,
    levels: new Map(),
    format: options.logFormat,
    now: Date.now,
    write: (line) => output.write(line),
  };
  const emit = logEvents(logOptions);
  if (advice) emit({ type: "configNotice", message: advice });
  const all = await load(emit);
  if (all.some(({ settings }) => settings.logToStdout)) output = process.stdout;
  const names = all.map(({ settings }) => settings.applicationName);
  for (const notice of [...all.flatMap(({ warnings }) => warnings), ...unusedScopes(names)]) {
    const message = formatProblem(notice);
    emit({ type: notice.level === "warning" ? "configWarning" : "configNotice", message });
  }
  return runUntilStopped(all, emit, options, logOptions, signals);
}

/**
 * The first SIGTERM, SIGINT or SIGHUP starts a graceful shutdown; the second ends the daemon at
 * once (host/ending.ts). SIGUSR2 releases all leases, and the next SIGUSR2 lets the daemon take
 * leases again.
 *
 * @throws the fatal error, after everything has ended.
 */
async function runUntilStopped(
  all: readonly LoadedSettings[],
  log: Emit,
  { waitForStream, attach: place }: Pick<RunOptions, "waitForStream" | "attach">,
  logOptions: LogOptions,
  signals: HeldSignals,
): Promise<number> {
  const { runHost } = await import("../host/host.ts");
  const attach = place === undefined ? undefined : parseAttachAddress(place);
  if (attach && all.length > 1) {
    throw new UserError("--attach works with one application. Name one properties file.");
  }
  const members = membersOf(all, log, attach !== undefined);
  const observers = await openObservers(members, log, logOptions);
  const isNohup = ignoresHangup(tracesOfNohup());
  const onSignal = (signal: DaemonSignal) => {
    if (signal === "SIGUSR2") {
      for (const { drain } of members) drain.toggle(signal);
      return;
    }
    if (signal === "SIGHUP" && isNohup) {
      const message = "SIGHUP is ignored, because the daemon was started with nohup";
      return log({ type: "configNotice", message });
    }
    for (const { ending } of members) ending.request(signal);
  };
  signals.handTo(onSignal);
  // A bug ends the daemon, but only after a graceful shutdown.
  const onBug = (error: unknown) => {
    for (const { ending } of members) ending.fail(error);
  };
  process.on("unhandledRejection", onBug);
  try {
    const wishes = { waitForStream, ...(attach && { attach }) };
    const applications = members.map(({ loaded, ending, emit, drain, restarts }, index) => {
      const { stop, kill } = ending;
      const failed = (error: unknown) => ending.fail(error);
      const sampling = observers.samplings[index];
      const own = { emit, stop, kill, drain, restarts, failed, ...(sampling && { sampling }) };
      return { loaded, context: { ...wishes, ...own } };
    });
    await runHost(applications, log);
  } finally {
    process.off("unhandledRejection", onBug);
    // A daemon that has stopped still ends by a stop signal, but not by a request to drain.
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
  const { exitCode, failure, goodbyesMissed } = outcomeOf(members);
  log({ type: "daemonStopped", exitCode, goodbyesMissed });
  await observers.close();
  if (failure) throw failure.error;
  return exitCode;
}

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const satisfies readonly StopSignal[];

/** As in Java, `-p` overrides the argument. */
function chooseFiles(
  files: readonly string[],
  { propertiesFile: named = [] }: RunOptions,
  emit: Emit,
): readonly string[] {
  const [file, ...rest] = files;
  if (rest.length > 0) {
    throw new UserError(
      `Expected one properties file, but found ${files.length}: ${files.join(" ")}. To run several applications in one daemon, name each file with -p.`,
    );
  }
  if (named.length > 0 && file) {
    const used = named.length === 1 ? `${named[0]} is used` : "the files after -p are used";
    const message = `Both -p ${named.join(" -p ")} and ${file} were given: ${used}.`;
    emit({ type: "configWarning", message });
  }
  const chosen = named.length > 0 ? named : files;
  if (chosen.length > 0) return chosen;
  throw new UserError(
    "The properties file is missing. Name one: kinesis-multilang --properties-file FILE (kinesis-multilang --help shows all options)",
  );
}

async function checkLogConfiguration(file: string | undefined, emit: Emit): Promise<void> {
  if (!file) return;
  try {
    await access(file, constants.R_OK);
  } catch (cause) {
    throw new UserError(`The log configuration ${file} cannot be read.`, { cause });
  }
  const message = `${file} configures Java's logback and is not used. Use --log-level and --log-format instead.`;
  emit({ type: "configWarning", message });
}

function logLevelOption(): Option {
  return new Option("--log-level <level>", "the lowest level that is logged")
    .choices(LOG_LEVELS)
    .default("info")
    .argParser((value) => {
      const level = value.toLowerCase();
      if (LOG_LEVELS.some((known) => known === level)) return level;
      throw new InvalidArgumentError(`Allowed are ${LOG_LEVELS.join(", ")}.`);
    });
}

function logFormatOption(): Option {
  return new Option("--log-format <format>", "JSON lines, or text")
    .choices(["json", "text"])
    .default(process.stderr.isTTY ? "text" : "json", "text on a terminal, otherwise json");
}
