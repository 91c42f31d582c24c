// `kinesis-multilang -p FILE`: runs the daemon, with the command line of the Java daemon.

import { access, constants } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { parseAttachAddress } from "../child/attach/attachAddress.ts";
import { systemClock } from "../clock.ts";
import { formatProblem } from "../config/configError.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import type { Settings } from "../config/settings.ts";
import type { Emit, Event } from "../events.ts";
import type { DaemonSignal, HeldSignals } from "../heldSignals.ts";
import { Drain } from "../host/drain.ts";
import { Ending, type StopSignal } from "../host/ending.ts";
import { ignoresHangup, tracesOfNohup } from "../host/hangup.ts";
import { reapAsProcessOne } from "../host/reapOrphans.ts";
import { fanOut } from "../listeners/fanOut.ts";
import {
  LOG_LEVELS,
  type LogFormat,
  type LogLevel,
  type LogOptions,
  logEvents,
} from "../listeners/log.ts";
import { UserError } from "../model/errors.ts";
import { RestartRequests } from "../shard/restartRequests.ts";
import type { Actions } from "../status/routes.ts";
import type { ServedStatus } from "../status/serve.ts";
import { refuseUnlessFile } from "./positional.ts";

interface RunOptions {
  readonly propertiesFile?: string;
  readonly logConfiguration?: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly waitForStream: boolean;
  readonly attach?: string;
  readonly http?: string;
}

/** @param commands the names of the other commands, for a suggestion when one is mistyped. */
export function runCommand(commands: readonly string[], signals: HeldSignals): Command {
  return new Command("run")
    .description("run the daemon (the default command)")
    .argument("[file...]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option(
      "-l, --log-configuration <file>",
      "accepted for compatibility and not used; see --log-level",
    )
    .addOption(logLevelOption())
    .addOption(logFormatOption())
    .option("--wait-for-stream", "wait for the stream if it does not exist yet", false)
    .option("--attach <address>", "wait for processors that you start, on unix:PATH or tcp:PORT")
    .option("--http <address>", "serve the status page on HOST:PORT or unix:PATH (httpListen)")
    .action(async (files: string[], options: RunOptions) => {
      for (const file of files) refuseUnlessFile(file, commands);
      process.exitCode = await run(files, options, signals);
    });
}

/** @returns the exit code. */
async function run(
  files: readonly string[],
  options: RunOptions,
  signals: HeldSignals,
): Promise<number> {
  const advice = reapAsProcessOne();
  // The reader of the log may end first; that must not end the daemon.
  process.stderr.on("error", () => {});
  const logOptions: LogOptions = {
    level: options.logLevel,
    format: options.logFormat,
    now: Date.now,
    write: (line) => process.stderr.write(line),
  };
  const emit = logEvents(logOptions);
  if (advice) emit({ type: "configNotice", message: advice });
  const file = chooseFile(files, options, emit);
  await checkLogConfiguration(options.logConfiguration, emit);
  const { loadSettings } = await import("../config/loadSettings.ts");
  const loaded = loadSettings({ file, flags: options.http ? { httpListen: options.http } : {} });
  for (const notice of loaded.warnings) {
    const message = formatProblem(notice);
    emit({ type: notice.level === "warning" ? "configWarning" : "configNotice", message });
  }
  return runUntilStopped(loaded, emit, options, logOptions, signals);
}

/**
 * The first SIGTERM, SIGINT or SIGHUP starts a graceful shutdown; the second ends the daemon at
 * once (host/ending.ts). SIGUSR2 releases all leases, and the next SIGUSR2 lets the daemon take
 * leases again.
 *
 * @throws the fatal error, after everything has ended.
 */
async function runUntilStopped(
  loaded: LoadedSettings,
  log: Emit,
  { waitForStream, attach: place }: RunOptions,
  logOptions: LogOptions,
  signals: HeldSignals,
): Promise<number> {
  const { runHost } = await import("../host/host.ts");
  const { openMetrics } = await import("../host/metrics.ts");
  const attach = place === undefined ? undefined : parseAttachAddress(place);
  const { shutdownGraceMillis: graceMs } = loaded.settings;
  const ending = new Ending({ graceMs, isDebugged: attach !== undefined, emit: log });
  const listeners = [log, (event: Event) => ending.saw(event)];
  const emit = fanOut(listeners);
  const isScraped = loaded.settings.httpListen !== undefined;
  const metrics = await openMetrics(loaded, { emit, clock: systemClock, isScraped });
  listeners.push(...metrics.listeners);
  const { sampling, prometheusText } = metrics;
  const drain = new Drain(emit);
  const restarts = new RestartRequests();
  const status = await serve(loaded.settings, emit, {
    drain,
    restarts,
    logOptions,
    prometheusText,
  });
  if (status) listeners.push(status.saw);
  const isNohup = ignoresHangup(tracesOfNohup());
  const onSignal = (signal: DaemonSignal) => {
    if (signal === "SIGUSR2") return drain.toggle(signal);
    if (signal === "SIGHUP" && isNohup) {
      const message = "SIGHUP is ignored, because the daemon was started with nohup";
      return emit({ type: "configNotice", message });
    }
    ending.request(signal);
  };
  const failed = (error: unknown) => ending.fail(error);
  signals.handTo(onSignal);
  // A bug ends the daemon, but only after a graceful shutdown.
  process.on("unhandledRejection", failed);
  try {
    const { stop, kill } = ending;
    const wishes = { waitForStream, ...(attach && { attach }), ...(sampling && { sampling }) };
    await runHost(loaded, { emit, ...wishes, stop, kill, drain, restarts, failed });
  } catch (error) {
    failed(error);
  } finally {
    process.off("unhandledRejection", failed);
    // A daemon that has stopped still ends by a stop signal, but not by a request to drain.
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
  const { exitCode, failure, goodbyesMissed } = ending;
  emit({ type: "daemonStopped", exitCode, goodbyesMissed });
  await status?.close();
  await metrics.close();
  if (failure) throw failure.error;
  return exitCode;
}

interface Shown {
  readonly drain: Drain;
  readonly restarts: RestartRequests;
  readonly logOptions: LogOptions;
  readonly prometheusText: (() => Promise<string>) | undefined;
}

/** The status page and its endpoints, if the user wants them. */
async function serve(
  settings: Settings,
  emit: Emit,
  { drain, restarts, logOptions, prometheusText }: Shown,
): Promise<ServedStatus | undefined> {
  const { httpListen } = settings;
  if (!httpListen || !prometheusText) return undefined;
  const { serveStatus } = await import("../status/serve.ts");
  const actions: Actions = {
    drain: () => drain.request("POST /drain"),
    resume: () => drain.resume("POST /resume"),
    setLogLevel: (level) => {
      logOptions.level = level;
      emit({ type: "logLevelChanged", level });
    },
    restartChild: (shardId) => {
      const isServed = restarts.request(shardId);
      if (isServed) emit({ type: "childRestartRequested", shardId });
      return isServed;
    },
  };
  const wanted = { ...settings, httpListen };
  return serveStatus(wanted, { clock: systemClock, emit, actions, prometheusText });
}

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const satisfies readonly StopSignal[];

/** As in Java, `-p` overrides the argument. */
function chooseFile(files: readonly string[], { propertiesFile }: RunOptions, emit: Emit): string {
  const [file, ...rest] = files;
  if (rest.length > 0) {
    throw new UserError(
      `Expected one properties file, but found ${files.length}: ${files.join(" ")}`,
    );
  }
  if (propertiesFile && file) {
    const message = `Both -p ${propertiesFile} and ${file} were given: ${propertiesFile} is used.`;
    emit({ type: "configWarning", message });
  }
  const chosen = propertiesFile ?? file;
  if (chosen) return chosen;
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
