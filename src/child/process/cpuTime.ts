// The CPU time that a child and all processes of its group have used, as far as the system reports
// it.

import { readdir, readFile } from "node:fs/promises";

/** Linux reports CPU times to programs in ticks of 1/100 s, whatever its internal clock is. */
const TICK_MS = 10;

/**
 * @returns the CPU time in milliseconds of all processes in a group, and of their children that
 * have ended; `undefined` on a system without /proc, such as macOS.
 */
export async function groupCpuMs(group: number): Promise<number | undefined> {
  const names = await readdir("/proc").catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name));
  if (pids.length === 0) return undefined;
  // A process may end between the two reads.
  const stats = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/stat`, "latin1").catch(() => "")),
  );
  return stats.reduce((sum, stat) => sum + ticksOf(stat, group), 0) * TICK_MS;
}

/**
 * User and system time of a process and its ended children, in ticks; 0 for another group's
 * process.
 */
function ticksOf(stat: string, group: number): number {
  // The second field is a name in parentheses, which may itself contain any character.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (Number(fields[2]) !== group) return 0;
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}
