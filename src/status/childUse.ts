// The CPU time and the memory of the children, from /proc. Read only while somebody looks.

import { readFile } from "node:fs/promises";
import { inParallel } from "../inParallel.ts";

export interface Use {
  /** Of one CPU; `null` until it was measured over some time. */
  readonly cpuPercent: number | null;
  readonly rssBytes: number;
}

interface Sample extends Use {
  readonly atMs: number;
  readonly cpuMs: number;
}

/** Linux reports CPU times in ticks of 1/100 s, and memory in pages. */
const TICK_MS = 10;
const PAGE_BYTES = 4_096;
const CONCURRENCY = 8;
/** A measurement is shown for so long before the next. */
const FRESH_MS = 2_000;

export class ChildUse {
  #samples: ReadonlyMap<number, Sample> = new Map();
  #atMs = Number.NEGATIVE_INFINITY;

  of(pid: number | null): Use | undefined {
    return pid === null ? undefined : this.#samples.get(pid);
  }

  /** Measures, unless that was done a moment ago. Without /proc, nothing is known. */
  async refresh(pids: readonly number[], nowMs: number): Promise<void> {
    if (nowMs - this.#atMs < FRESH_MS) return;
    this.#atMs = nowMs;
    const now = new Map<number, Sample>();
    await inParallel(pids, CONCURRENCY, async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch(() => "");
      const sample = parse(stat, this.#samples.get(pid), nowMs);
      if (sample) now.set(pid, sample);
    });
    this.#samples = now;
  }
}

function parse(stat: string, before: Sample | undefined, atMs: number): Sample | undefined {
  // The second field is a name in parentheses, which may itself contain any character.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system, pages] = [11, 12, 21].map((at) => Number(fields[at]));
  if (user === undefined || system === undefined || !pages) return undefined;
  const cpuMs = (user + system) * TICK_MS;
  const share = before && (100 * (cpuMs - before.cpuMs)) / (atMs - before.atMs);
  const cpuPercent = share === undefined ? null : Math.max(0, Math.round(share * 10) / 10);
  return { atMs, cpuMs, cpuPercent, rssBytes: pages * PAGE_BYTES };
}
