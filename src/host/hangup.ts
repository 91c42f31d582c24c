// Whether SIGHUP was ignored when this process was started, as nohup has it: then the end of a terminal must not end us.
// Node sets all signals back to their defaults before any code of ours runs, so what nohup did shows only around us.

import { readFileSync } from "node:fs";

export interface Traces {
  /** The variable `_`, in which bash, zsh and ksh leave the path of the command that they start. */
  readonly command: string | undefined;
  /** /proc/PID/status of the parent: a script that was started with nohup ignores the signal itself. */
  readonly parentStatus: string | undefined;
  /** /proc/self/fdinfo/0: in place of a terminal, GNU's nohup leaves a standard input that can only be written to. */
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

/** Only Linux has such files. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
