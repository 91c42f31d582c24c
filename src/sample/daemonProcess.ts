// Starts the daemon as a user does: the built program with a properties file, in its own process.

import { once } from "node:events";
import { execa } from "execa";
import split2 from "split2";
import { inPackage } from "../package.ts";

interface DaemonOptions {
  /** The command and the properties file. */
  readonly args: readonly string[];
  /** The working directory, in which relative paths begin, such as those in `executableName`. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (line: string) => void;
}

export interface DaemonProcess {
  readonly pid: number;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** Requests a graceful shutdown; the second call ends the daemon at once. */
  terminate(): void;
  kill(): void;
}

export async function startDaemon(options: DaemonOptions): Promise<DaemonProcess> {
  const main = inPackage("dist/main.js");
  const args = [main, ...options.args, "--log-format", "json", "--log-level", "debug"];
  // In its own process group: Ctrl-C reaches only the sample, which then stops the daemon
  // gracefully.
  const child = execa(process.execPath, args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    buffer: false,
    reject: false,
  });
  const lines = child.stderr.pipe(split2());
  lines.on("data", options.onLine);
  const ended = Promise.all([child, once(lines, "close")]).then(
    ([result]) => result.exitCode ?? result.signal ?? result.shortMessage ?? "unknown",
  );
  if (child.pid === undefined) throw new Error(`the daemon did not start: ${await ended}`);
  return {
    pid: child.pid,
    ended,
    terminate: () => child.kill("SIGTERM"),
    kill: () => child.kill("SIGKILL"),
  };
}
