// What is left of a child with which nothing more can be done: facts for the program, a story for the person.

import { constants } from "node:os";

/** How a process ended. Exactly one of the two, unless it could not be watched to its end. */
export interface ChildExit {
  readonly exitCode?: number;
  readonly signal?: string;
}

/**
 * - `spawn`: it could not be started;
 * - `exit`: it ended, with whatever code, while it was still needed;
 * - `timeout`: it did not answer in time, and is still running;
 * - `stuck`: it showed no sign of life, and is still there;
 * - `protocol`: it answered what was not asked;
 * - `pipe`: it closed STDIN or STDOUT, and is still running.
 */
export type ChildFailure = "spawn" | "exit" | "timeout" | "stuck" | "protocol" | "pipe";

export interface ChildFailedFacts extends ChildExit {
  readonly shardId: string;
  readonly argv: readonly string[];
  readonly pid?: number;
  /** The address, when a person had started it and it connected to us. */
  readonly attachedTo?: string;
  /** The action that was not answered, `"start"`, or `"nothing"` between two actions. */
  readonly waitingFor: string;
  readonly reason: ChildFailure;
  /** Up to 50 lines, oldest first. */
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
  /** The message for those who have seen what the child wrote on STDERR. */
  readonly withoutStderr: string;

  /**
   * @param what what happened, as the end of a sentence whose subject is the child.
   * @param advice what a person can do about it.
   */
  constructor(facts: ChildFailedFacts, what: string, advice: string, options?: ErrorOptions) {
    super(tell(facts, what, advice, said("STDERR", facts.lastStderr)), options);
    const above = ["What it wrote on STDERR stands above."];
    this.withoutStderr =
      facts.lastStderr.length === 0 ? this.message : tell(facts, what, advice, above);
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

  /** By a person, a system that shuts down, or the kernel that needs its memory: its own doing was no part of it. */
  get wasEndedFromOutside(): boolean {
    const signal = this.signal ?? signalOfShell(this.exitCode);
    return signal !== undefined && FROM_OUTSIDE.includes(signal);
  }
}

function tell(
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
        : ` while we waited for it to answer "${waitingFor}"`;
  const who = attachedTo === undefined ? "child process" : `processor attached to ${attachedTo}`;
  const lines = [`${shardId}: the ${who} ${what}${when}.`];
  if (attachedTo !== undefined) return [...lines, advice].join("\n");
  const id = pid === undefined ? "" : ` (pid ${pid})`;
  lines.push(`It was started as: ${argv.map(quote).join(" ")}${id}`);
  if (reason !== "spawn") lines.push(...stderr, ...said("STDOUT", lastStdout));
  return [...lines, advice].join("\n");
}

function said(stream: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [`It wrote nothing on ${stream}.`];
  return [`Its last words on ${stream} were:`, ...lines.map((line) => `  ${line}`)];
}

function quote(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : JSON.stringify(argument);
}

const SIGNALS: Readonly<Record<string, string>> = {
  SIGABRT: "it aborted itself",
  SIGBUS: "a bus error",
  SIGFPE: "an arithmetic error",
  SIGHUP: "its terminal closed",
  SIGILL: "an illegal instruction",
  SIGINT: "an interrupt, as by Ctrl-C",
  SIGKILL: "killed, by a person or by the kernel when memory ran out",
  SIGPIPE: "it wrote into a closed pipe",
  SIGSEGV: "a segmentation fault",
  SIGTERM: "it was asked to end",
};

const FROM_OUTSIDE: readonly string[] = ["SIGHUP", "SIGINT", "SIGKILL", "SIGTERM"];

/** A shell, and much that was learnt from one, reports a signal as 128 + its number. */
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
