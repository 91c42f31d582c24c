// The error for a child that cannot be used any more: facts for the program, and a message for the
// user with the command, the child's last output and what to do next.

import { constants } from "node:os";

/** How a process ended. Exactly one of the two is present, unless its end could not be observed. */
export interface ChildExit {
  readonly exitCode?: number;
  readonly signal?: string;
}

/**
 * - `spawn`: it could not be started;
 * - `exit`: it exited, with any code, while it was still needed;
 * - `timeout`: it did not answer in time, and is still running;
 * - `stuck`: it showed no activity, and is still running;
 * - `protocol`: it answered another action than the requested one;
 * - `pipe`: it closed STDIN or STDOUT, and is still running.
 */
export type ChildFailure = "spawn" | "exit" | "timeout" | "stuck" | "protocol" | "pipe";

export interface ChildFailedFacts extends ChildExit {
  readonly shardId: string;
  readonly argv: readonly string[];
  readonly pid?: number;
  /** Its address, if a user started it and it connected to the daemon. */
  readonly attachedTo?: string;
  /** The message that it did not answer; `"start"`; or `"nothing"` between two actions. */
  readonly waitingFor: string;
  readonly reason: ChildFailure;
  /** Up to 50 lines each, oldest first. */
  readonly lastStdout: readonly string[];
  readonly lastStderr: readonly string[];
}

/** A child process that cannot be used any more. It may still be running: the caller stops it. */
export class ChildFailed extends Error {
  override readonly name = "ChildFailed";
  readonly shardId: string;
  readonly argv: readonly string[];
  readonly pid: number | undefined;
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  readonly waitingFor: string;
  readonly reason: ChildFailure;
  readonly lastStdout: readonly string[];
  readonly lastStderr: readonly string[];
  /** The message without the lines on STDERR, for a log that already contains them. */
  readonly withoutStderr: string;

  /**
   * @param what what happened: the end of a sentence whose subject is the child.
   * @param advice what the user can do about it.
   */
  constructor(facts: ChildFailedFacts, what: string, advice: string, options?: ErrorOptions) {
    super(format(facts, what, advice, quoted("STDERR", facts.lastStderr)), options);
    const above = ["Its output on STDERR is logged above."];
    this.withoutStderr =
      facts.lastStderr.length === 0 ? this.message : format(facts, what, advice, above);
    this.shardId = facts.shardId;
    this.argv = facts.argv;
    this.pid = facts.pid;
    this.exitCode = facts.exitCode;
    this.signal = facts.signal;
    this.waitingFor = facts.waitingFor;
    this.reason = facts.reason;
    this.lastStdout = facts.lastStdout;
    this.lastStderr = facts.lastStderr;
  }

  /**
   * A user, a system that shuts down, or a kernel that is out of memory has ended it: nothing that
   * it did itself.
   */
  get wasEndedFromOutside(): boolean {
    const signal = this.signal ?? signalOfShell(this.exitCode);
    return signal !== undefined && FROM_OUTSIDE.includes(signal);
  }
}

function format(
  facts: ChildFailedFacts,
  what: string,
  advice: string,
  stderr: readonly string[],
): string {
  const { shardId, argv, pid, attachedTo, waitingFor, reason, lastStdout } = facts;
  const when =
    reason === "spawn"
      ? ""
      : waitingFor === "nothing"
        ? " between two actions"
        : ` while the daemon waited for its answer to "${waitingFor}"`;
  const who = attachedTo === undefined ? "child process" : `processor attached to ${attachedTo}`;
  const lines = [`${shardId}: the ${who} ${what}${when}.`];
  if (attachedTo !== undefined) return [...lines, advice].join("\n");
  const id = pid === undefined ? "" : ` (pid ${pid})`;
  lines.push(`It was started as: ${argv.map(quote).join(" ")}${id}`);
  if (reason !== "spawn") lines.push(...stderr, ...quoted("STDOUT", lastStdout));
  return [...lines, advice].join("\n");
}

function quoted(stream: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [`It wrote nothing to ${stream}.`];
  return [`Its last lines on ${stream}:`, ...lines.map((line) => `  ${line}`)];
}

function quote(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : JSON.stringify(argument);
}

const SIGNALS: Readonly<Record<string, string>> = {
  SIGABRT: "it called abort",
  SIGBUS: "a bus error",
  SIGFPE: "an arithmetic error",
  SIGHUP: "its terminal closed",
  SIGILL: "an illegal instruction",
  SIGINT: "an interrupt, as by Ctrl-C",
  SIGKILL: "killed by a user, or by the kernel because memory ran out",
  SIGPIPE: "it wrote to a closed pipe",
  SIGSEGV: "a segmentation fault",
  SIGTERM: "a request to terminate",
};

const FROM_OUTSIDE: readonly string[] = ["SIGHUP", "SIGINT", "SIGKILL", "SIGTERM"];

/** Shells, and programs that follow their convention, report a signal as 128 + its number. */
function signalOfShell(exitCode: number | undefined): string | undefined {
  if (exitCode === undefined) return undefined;
  return Object.entries(constants.signals).find(([, n]) => n === exitCode - 128)?.[0];
}

/** `exited with code 3`, `was ended by SIGKILL (…)`. */
export function describeExit({ exitCode, signal }: ChildExit): string {
  if (signal !== undefined) {
    const name = SIGNALS[signal];
    return `was ended by ${signal}${name ? ` (${name})` : ""}`;
  }
  if (exitCode === undefined) return "ended";
  const fromShell = signalOfShell(exitCode);
  return `exited with code ${exitCode}${fromShell ? ` (perhaps ${fromShell})` : ""}`;
}
