// How much CPU time a child and all that it started have used, as far as the system tells.

import { readdir, readFile } from "node:fs/promises";

/** Linux counts in ticks of 1/100 s for programs, whatever its own clock is. */
const TICK_MS = 10;

/**
 * Milliseconds of CPU time of all processes in a group, and of those that they started and that have ended. `undefined`
 * where there is no /proc, as on macOS.
 */
export async function groupCpuMs(group: number): Promise<number | undefined> {
  const names = await readdir("/proc").catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name));
  if (pids.length === 0) return undefined;
  // A process may end while we look.
  const stats = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/stat`, "latin1").catch(() => "")),
  );
  return stats.reduce((sum, stat) => sum + ticksOf(stat, group), 0) * TICK_MS;
}

/** Ticks in user and system mode, its own and those of its ended children; 0 for a process of another group. */
function ticksOf(stat: string, group: number): number {
  // The second field is a name in parentheses, in which everything may stand.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (Number(fields[2]) !== group) return 0;
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
}
