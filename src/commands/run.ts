// `kinesis-multilang -p FILE`: the daemon itself, with the Java daemon's command line.

import { access, constants } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { parseAttachAddress } from "../child/attachAddress.ts";
import { formatProblem } from "../config/configError.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import { Drain } from "../drain.ts";
import type { Emit } from "../events.ts";
import { ignoresHangup, tracesOfNohup } from "../hangup.ts";
import { reapAsProcessOne } from "../init.ts";
import { LOG_LEVELS, type LogFormat, type LogLevel, logEvents } from "../log.ts";
import { UserError } from "../model/errors.ts";
import { refuseUnlessFile } from "./positional.ts";

interface RunOptions {
  readonly propertiesFile?: string;
  readonly logConfiguration?: string;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly waitForStream: boolean;
  readonly attach?: string;
}

/** @param commands the names of the others, of which one may have been meant. */
export function runCommand(commands: readonly string[]): Command {
  return new Command("run")
    .description("run the daemon (this is what happens without a command)")
    .argument("[file...]", "the properties file, if it is not given with -p")
    .option("-p, --properties-file <file>", "the properties file")
    .option("-l, --log-configuration <file>", "accepted for compatibility; see --log-level")
    .addOption(logLevelOption())
    .addOption(logFormatOption())
    .option("--wait-for-stream", "wait for a stream that does not exist yet", false)
    .option("--attach <address>", "wait for processors that you start: unix:PATH or tcp:PORT")
    .action(async (files: string[], options: RunOptions) => {
      for (const file of files) refuseUnlessFile(file, commands);
      process.exitCode = await run(files, options);
    });
}

/** @returns the exit code. */
async function run(files: readonly string[], options: RunOptions): Promise<number> {
  const advice = reapAsProcessOne();
  // Whoever read our log may end before us: that must not end us, nor the shards.
  process.stderr.on("error", () => {});
  const emit = logEvents({
    level: options.logLevel,
    format: options.logFormat,
    now: Date.now,
    write: (line) => process.stderr.write(line),
  });
  if (advice) emit({ type: "configNotice", message: advice });
  const file = chooseFile(files, options, emit);
  await lookAtLogConfiguration(options.logConfiguration, emit);
  const { loadSettings } = await import("../config/loadSettings.ts");
  const loaded = loadSettings({ file });
  for (const notice of loaded.warnings) {
    const message = formatProblem(notice);
    emit({ type: notice.level === "warning" ? "configWarning" : "configNotice", message });
  }
  return runUntilStopped(loaded, emit, options);
}

/**
 * The first SIGTERM, SIGINT or SIGHUP asks for an orderly end, for which there is time; the second ends at once. SIGUSR2
 * has all leases given up, and the next one has them taken again.
 */
async function runUntilStopped(
  loaded: LoadedSettings,
  emit: Emit,
  { waitForStream, attach: place }: RunOptions,
): Promise<number> {
  const { runDaemon } = await import("../daemon.ts");
  const [stop, kill] = [new AbortController(), new AbortController()];
  const { shutdownGraceMillis: graceMs } = loaded.settings;
  const attach = place === undefined ? undefined : parseAttachAddress(place);
  const drain = new Drain(emit);
  const isNohup = ignoresHangup(tracesOfNohup());
  const onDrain = (signal: NodeJS.Signals) => drain.toggle(signal);
  let exitCode: number = EXIT_CODE.ok;
  const onSignal = (signal: NodeJS.Signals) => {
    if (signal === "SIGHUP" && isNohup) {
      const message = "SIGHUP is ignored, because the daemon was started with nohup";
      return emit({ type: "configNotice", message });
    }
    if (stop.signal.aborted) {
      // A terminal that ends sends SIGHUP, and so does its shell: two of them ask for no more than one.
      if (signal === "SIGHUP") return;
      exitCode = EXIT_CODE[signal as keyof typeof EXIT_CODE];
      return kill.abort(new Error(`${signal} came a second time`));
    }
    emit({ type: "stopRequested", reason: signal, graceMs });
    stop.abort();
    // No time is too long for a person with a debugger: there, only the second signal ends at once.
    if (attach) return;
    // What is not over by then is cut short, a little early so that leases can still be released in time.
    const limit = setTimeout(() => {
      exitCode = EXIT_CODE.graceExceeded;
      emit({ type: "graceExceeded", graceMs });
      kill.abort(new Error(`the grace period of ${graceMs} ms is over`));
    }, graceMs * GRACE_SHARE);
    limit.unref();
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  process.on(DRAIN_SIGNAL, onDrain);
  try {
    const signals = { stop: stop.signal, kill: kill.signal, drain };
    await runDaemon(loaded, { emit, waitForStream, ...(attach && { attach }), ...signals });
  } finally {
    process.off(DRAIN_SIGNAL, onDrain);
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  }
  emit({ type: "daemonStopped", exitCode });
  return exitCode;
}

const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"] as const;
const DRAIN_SIGNAL = "SIGUSR2";

/** How much of the grace period the children get; the rest is for ending them and releasing leases. */
const GRACE_SHARE = 0.8;

/** As shells tell of a signal: 128 and its number. */
const EXIT_CODE = { ok: 0, graceExceeded: 1, SIGINT: 130, SIGTERM: 143 } as const;

/** As Java chooses: `-p` wins over the one argument that may stand alone. */
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
    "The properties file is missing. Name one: kinesis-multilang --properties-file FILE (kinesis-multilang --help shows the rest)",
  );
}

async function lookAtLogConfiguration(file: string | undefined, emit: Emit): Promise<void> {
  if (!file) return;
  try {
    await access(file, constants.R_OK);
  } catch (cause) {
    throw new UserError(`The log configuration ${file} cannot be read.`, { cause });
  }
  const message = `${file} configures Java's logback and is not used: choose with --log-level and --log-format.`;
  emit({ type: "configWarning", message });
}

function logLevelOption(): Option {
  return new Option("--log-level <level>", "the least level that is logged")
    .choices(LOG_LEVELS)
    .default("info")
    .argParser((value) => {
      const level = value.toLowerCase();
      if (LOG_LEVELS.some((known) => known === level)) return level;
      throw new InvalidArgumentError(`Allowed are ${LOG_LEVELS.join(", ")}.`);
    });
}

function logFormatOption(): Option {
  return new Option("--log-format <format>", "JSON lines, or text for people")
    .choices(["json", "text"])
    .default(process.stderr.isTTY ? "text" : "json", "text on a terminal, else json");
}
