// What one process uses of the machine, as far as the system reports it.

import { readFile } from "node:fs/promises";

export interface ProcessUsage {
  /** Since its start. */
  readonly ownCpuMs: number;
  /** The same with its children that have ended. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** Linux reports CPU times to programs in ticks of 1/100 s, whatever its internal clock is. */
const TICK_MS = 10;
/** Linux on x86-64, and on most machines with ARM. */
const PAGE_BYTES = 4096;
/** Positions in /proc/PID/stat, counted from the field after the name. */
const [OWN_TIMES, ENDED_TIMES, AFTER_TIMES, RSS_PAGES] = [11, 13, 15, 21];

/** @returns `undefined` when it has ended, or on a system without /proc, such as macOS. */
export async function usageOf(pid: number): Promise<ProcessUsage | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
  // The second field is a name in parentheses, which may itself contain any character.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const pages = Number(fields[RSS_PAGES]);
  if (!Number.isFinite(pages)) return undefined;
  const between = (from: number, to: number) =>
    fields.slice(from, to).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS;
  const ownCpuMs = between(OWN_TIMES, ENDED_TIMES);
  const cpuMs = ownCpuMs + between(ENDED_TIMES, AFTER_TIMES);
  return { ownCpuMs, cpuMs, rssBytes: pages * PAGE_BYTES };
}
