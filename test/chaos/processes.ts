// Finds processes in /proc, on Linux.

import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";

export interface Relative {
  readonly pid: number;
  /** Whether it is our watchdog and not a record processor. */
  readonly isGuard: boolean;
}

export function childrenOf(pid: number): readonly Relative[] {
  const pids = read(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return pids.flatMap((child) => {
    const command = read(`/proc/${child}/cmdline`);
    // Between fork and exec a process still has its parent's command line. After its end it has
    // none.
    const isOther = command === "" || command.includes("\0-p\0");
    return isOther ? [] : [{ pid: child, isGuard: command.includes("multilang-watchdog") }];
  });
}

/** Process ids whose environment holds `NAME=value`. */
export function processesWith(mark: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => read(`/proc/${pid}/environ`).split("\0").includes(mark))
    .map(Number);
}

/** The resources of a process, or `undefined` if it is gone. */
export interface Holding {
  readonly rssMib: number;
  readonly descriptors: number;
  readonly children: number;
}

export function holdingOf(pid: number): Holding | undefined {
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1];
  if (rss === undefined) return undefined;
  return {
    rssMib: Number(rss) / 1024,
    descriptors: list(`/proc/${pid}/fd`).length,
    children: childrenOf(pid).length,
  };
}

/** Whether the process reacts to the signal itself. Until it does, the signal ends it. */
export function catches(pid: number, name: NodeJS.Signals): boolean {
  const mask = /^SigCgt:\s+([0-9a-f]+)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(constants.signals[name] - 1)) & 1n) === 1n;
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It is already gone.
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
