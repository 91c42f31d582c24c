// The share of a CPU and the memory that each child uses. Measured only while somebody looks.

import { inParallel } from "../inParallel.ts";
import { type ProcessUsage, usageOf } from "../processUsage.ts";

export interface Use {
  /** Of one CPU; `null` until it was measured over some time. */
  readonly cpuPercent: number | null;
  readonly rssBytes: number;
}

interface Sample extends Use {
  readonly atMs: number;
  readonly cpuMs: number;
}

const CONCURRENCY = 8;
/** A measurement is shown for so long before the next. */
const FRESH_MS = 2_000;

export class ChildUse {
  #samples: ReadonlyMap<number, Sample> = new Map();
  #atMs = Number.NEGATIVE_INFINITY;

  of(pid: number): Use | undefined {
    return this.#samples.get(pid);
  }

  /** Measures, unless that was done a moment ago. Without /proc, nothing is known. */
  async refresh(pids: readonly number[], nowMs: number): Promise<void> {
    if (nowMs - this.#atMs < FRESH_MS) return;
    this.#atMs = nowMs;
    const now = new Map<number, Sample>();
    await inParallel(pids, CONCURRENCY, async (pid) => {
      const usage = await usageOf(pid);
      // A process that has ended and was not waited for has no memory.
      if (usage?.rssBytes) now.set(pid, sampleOf(usage, this.#samples.get(pid), nowMs));
    });
    this.#samples = now;
  }
}

function sampleOf(
  { ownCpuMs: cpuMs, rssBytes }: ProcessUsage,
  before: Sample | undefined,
  atMs: number,
): Sample {
  const share = before && (100 * (cpuMs - before.cpuMs)) / (atMs - before.atMs);
  const cpuPercent = share === undefined ? null : Math.max(0, Math.round(share * 10) / 10);
  return { atMs, cpuMs, cpuPercent, rssBytes };
}
