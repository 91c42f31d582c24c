// Runs the built daemon as a separate process with a properties file. Tests can wait for events in
// its log.

import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import split2 from "split2";
import { inject, onTestFinished } from "vitest";
import { SAME_REQUEST_MS } from "../../src/host/ending.ts";

export const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** A log line: the event's fields beside `time`, `level`, `event` and `message`. */
export interface LoggedEvent {
  readonly event: string;
  readonly level: string;
  readonly message: string;
  readonly shardId?: string;
  readonly [field: string]: unknown;
}

export interface DaemonUnderTest {
  readonly pid: number;
  readonly events: readonly LoggedEvent[];
  /** What it wrote to STDERR besides log lines. */
  readonly otherLines: readonly string[];
  /**
   * Resolves with the first event, past or future, that satisfies the predicate. Rejects if the
   * daemon ends first.
   */
  waitFor(what: string | ((event: LoggedEvent) => boolean), limitMs?: number): Promise<LoggedEvent>;
  signal(signal: NodeJS.Signals): void;
  /** Sends SIGTERM. Returns the exit code, or the name of the signal that ended it. */
  stop(): Promise<number | string>;
  readonly ended: Promise<number | string>;
}

/** Waits until the same signal is a second request, and no repetition of the first. */
export const laterRequest = () => sleep(SAME_REQUEST_MS * 2);

interface DaemonOptions {
  /** The endpoints of the shared emulators and short timers are added to these. */
  readonly properties: Readonly<Record<string, string | number | boolean>>;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A program and its arguments that receive the daemon's whole command line. */
  readonly under?: readonly string[];
  /** The program; the built one, run by this Node, when absent. */
  readonly program?: readonly string[];
}

const DEFAULT_LIMIT_MS = 30_000;

/** Writes a properties file into a folder that is removed after the test. */
export async function propertiesFile(
  properties: Readonly<Record<string, string | number | boolean>>,
): Promise<string> {
  const folder = await temporaryFolder();
  const file = join(folder, "daemon.properties");
  const lines = Object.entries(properties).map(
    ([key, value]) => `${key} = ${escapeBackslashes(String(value))}`,
  );
  await writeFile(file, `${lines.join("\n")}\n`);
  return file;
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "kinesis-multilang-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts the daemon. It always ends with the test. */
export async function startDaemon(options: DaemonOptions): Promise<DaemonUnderTest> {
  const file = await propertiesFile({
    kinesisEndpoint: inject("kinesisUrl"),
    dynamoDBEndpoint: inject("dynamoUrl"),
    regionName: "us-east-1",
    initialPositionInStream: "TRIM_HORIZON",
    retrievalMode: "POLLING",
    idleTimeBetweenReadsInMillis: 200,
    ...options.properties,
  });
  return runDaemon(["-p", file, "--log-level", "trace", ...(options.args ?? [])], options);
}

/** Does the same with a given command line. */
export async function runDaemon(
  args: readonly string[],
  {
    env = {},
    cwd,
    under = [],
    program: daemon = [process.execPath, MAIN],
  }: Pick<DaemonOptions, "env" | "cwd" | "under" | "program"> = {},
): Promise<DaemonUnderTest> {
  const [program = process.execPath, ...rest] = [...under, ...daemon, ...args];
  const child = execa(program, rest, {
    env: { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local", ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    buffer: false,
    reject: false,
    detached: true,
  });
  const events: LoggedEvent[] = [];
  const otherLines: string[] = [];
  const listeners = new Set<() => void>();
  const lines = child.stderr.pipe(split2());
  lines.on("data", (line: string) => {
    const event = parseEvent(line);
    if (event) events.push(event);
    else otherLines.push(line);
    for (const listener of listeners) listener();
  });
  child.stdout.resume();
  let over = false;
  const ended = Promise.all([child, once(lines, "close")]).then(([result]) => {
    over = true;
    for (const listener of listeners) listener();
    return result.exitCode ?? result.signal ?? "unknown";
  });
  const { pid } = child;
  if (pid === undefined) throw new Error("the daemon did not start");
  onTestFinished(async () => {
    if (!over) child.kill("SIGKILL");
    await ended;
  });

  const waitFor: DaemonUnderTest["waitFor"] = (what, limitMs = DEFAULT_LIMIT_MS) => {
    const matches = typeof what === "string" ? (event: LoggedEvent) => event.event === what : what;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => finish(), limitMs);
      const look = () => {
        const found = events.find(matches);
        if (found || over) finish(found);
      };
      const finish = (found?: LoggedEvent) => {
        clearTimeout(limit);
        listeners.delete(look);
        if (found) resolve(found);
        else reject(new Error(`the daemon did not log ${what}; its log ends:\n${tail()}`));
      };
      listeners.add(look);
      look();
    });
  };
  const tail = () =>
    [
      ...events
        .filter(({ level }) => level !== "trace")
        .slice(-40)
        .map((event) => JSON.stringify(event)),
      ...otherLines.slice(-40),
    ].join("\n");
  return {
    pid,
    events,
    otherLines,
    waitFor,
    signal: (signal) => child.kill(signal),
    stop: async () => {
      child.kill("SIGTERM");
      return ended;
    },
    ended,
  };
}

function parseEvent(line: string): LoggedEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isEvent = typeof value === "object" && value !== null && "event" in value;
    return isEvent ? (value as LoggedEvent) : undefined;
  } catch {
    return undefined;
  }
}

function escapeBackslashes(value: string): string {
  return value.replaceAll("\\", "\\\\");
}
