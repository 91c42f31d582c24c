// Detects whether the daemon was started with nohup, which ignores SIGHUP: then the end of the
// terminal must not end the daemon. Node resets all signals to their defaults before it runs a
// program, so only the surroundings of the process show what nohup did.

import { readFileSync } from "node:fs";

export interface Traces {
  /** The variable `_`, in which bash, zsh and ksh store the path of the command that they start. */
  readonly command: string | undefined;
  /** /proc/PID/status of the parent: a script that was started with nohup ignores SIGHUP itself. */
  readonly parentStatus: string | undefined;
  /** /proc/self/fdinfo/0: GNU nohup replaces a terminal by a standard input that is write-only. */
  readonly stdinInfo: string | undefined;
}

export function ignoresHangup({ command, parentStatus, stdinInfo }: Traces): boolean {
  const ignored = /^SigIgn:\s*([0-9a-f]+)$/m.exec(parentStatus ?? "")?.[1] ?? "0";
  return (
    /(^|\/)nohup$/.test(command ?? "") ||
    (BigInt(`0x${ignored}`) & SIGHUP_BIT) !== 0n ||
    /^flags:\s*0\d*1$/m.test(stdinInfo ?? "")
  );
}

const SIGHUP_BIT = 1n;

export function tracesOfNohup(): Traces {
  return {
    command: process.env["_"],
    parentStatus: textOf(`/proc/${process.ppid}/status`),
    stdinInfo: textOf("/proc/self/fdinfo/0"),
  };
}

/** Only Linux has these files. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
