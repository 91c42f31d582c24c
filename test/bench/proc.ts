// What processes have cost so far, from Linux's /proc. Processes that are gone count nothing.

import { readdirSync, readFileSync } from "node:fs";

/** `USER_HZ`, in which /proc counts; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const KIB_PER_MIB = 1024;
/** Fields of /proc/PID/stat behind the program's name, which may hold blanks and brackets. */
const STAT = { userTicks: 11, systemTicks: 12 } as const;

export interface Memory {
  readonly rssMib: number;
  /** The most that was ever resident (`VmHWM`). */
  readonly peakMib: number;
  readonly threads: number;
}

/** A process and all its descendants, except `without` and theirs. */
export function processTree(pid: number, without: ReadonlySet<number>): readonly number[] {
  if (without.has(pid)) return [];
  const children = tasksOf(pid).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap((child) => processTree(child, without))];
}

/** User and system time. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[STAT.userTicks] ?? 0) + Number(fields[STAT.systemTicks] ?? 0);
  }
  return ticks / TICKS_PER_SECOND;
}

export function memory(pids: readonly number[]): Memory {
  const sum = { VmRSS: 0, VmHWM: 0, Threads: 0 };
  for (const pid of pids) {
    for (const line of read(`/proc/${pid}/status`).split("\n")) {
      const [name, value] = line.split(":");
      if (name === "VmRSS" || name === "VmHWM" || name === "Threads") {
        sum[name] += Number.parseInt(value ?? "", 10);
      }
    }
  }
  return {
    rssMib: sum.VmRSS / KIB_PER_MIB,
    peakMib: sum.VmHWM / KIB_PER_MIB,
    threads: sum.Threads,
  };
}

function tasksOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
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
