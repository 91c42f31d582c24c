// What processes have used so far, from Linux's /proc. Processes that are gone count as nothing.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** `USER_HZ`, the unit of /proc; 100 on every Linux that Node supports. */
const TICKS_PER_SECOND = 100;
const KIB_PER_MIB = 1024;
/** The fields of /proc/PID/stat after the program's name, which may contain blanks and brackets. */
const STAT = { userTicks: 11, systemTicks: 12 } as const;

export interface Memory {
  readonly rssMib: number;
  /** The peak resident memory (`VmHWM`). */
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

/** How often its main thread has slept and woken up. */
export function wakeUps(pid: number): number {
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1]);
}

/** Established connections of a process to a port on this machine. */
export function connections(pid: number, port: number): number {
  const own = new Set(descriptorsOf(pid));
  const remote = port.toString(16).toUpperCase().padStart(4, "0");
  return read(`/proc/${pid}/net/tcp`)
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => {
      const [to = "", state] = [fields[TCP.remote], fields[TCP.state]];
      const inode = `socket:[${fields[TCP.inode]}]`;
      return to.endsWith(`:${remote}`) && state === ESTABLISHED && own.has(inode);
    }).length;
}

/** The fields of a line of /proc/PID/net/tcp. */
const TCP = { remote: 2, state: 3, inode: 9 } as const;
const ESTABLISHED = "01";

function descriptorsOf(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)];
    } catch {
      // It was closed meanwhile.
      return [];
    }
  });
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
