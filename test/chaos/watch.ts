// Checks whether a daemon's memory, descriptors or processes grow.

import { systemClock } from "../../src/clock.ts";
import { lengthMs, retainedMib, type Sample, type Trend, trendOf } from "../support/growth.ts";
import { nowMs } from "./faultLog.ts";
import { type Holding, holdingOf } from "./processes.ts";

type Watched = keyof Holding | "retainedMib";

export type Samples = Record<Watched, readonly Sample[]>;
export type Trends = Readonly<Record<Watched, Trend>>;

const EVERY_MS = 5_000;

/** @returns the samples of the daemon, once `stop` is aborted. */
export async function watch(
  pid: () => number | undefined,
  probeFile: string,
  stop: AbortSignal,
): Promise<Samples> {
  const seen: { readonly atMs: number; readonly holding: Holding }[] = [];
  while (!stop.aborted) {
    const current = pid();
    const holding = current === undefined ? undefined : holdingOf(current);
    if (holding) seen.push({ atMs: nowMs(), holding });
    await systemClock.sleep(EVERY_MS, stop);
  }
  const of = (what: keyof Holding) =>
    seen.map(({ atMs, holding }) => ({ atMs, value: holding[what] }));
  return {
    rssMib: of("rssMib"),
    descriptors: of("descriptors"),
    children: of("children"),
    retainedMib: retainedMib(probeFile),
  };
}

export function trends(samples: Samples): Trends {
  return eachOf(samples, trendOf);
}

interface Limit {
  readonly perHour: number;
  /** A shorter run is not checked, because its slope is chance or still warm-up. */
  readonly fromMs: number;
}

const MINUTE_MS = 60_000;

/**
 * Compiled code and the SDK's caches grow for about five minutes. V8 takes memory for half an hour.
 */
const LIMITS = {
  retainedMib: { perHour: 10, fromMs: 10 * MINUTE_MS },
  rssMib: { perHour: 40, fromMs: 40 * MINUTE_MS },
  descriptors: { perHour: 10, fromMs: 10 * MINUTE_MS },
  children: { perHour: 4, fromMs: 10 * MINUTE_MS },
} satisfies Record<Watched, Limit>;

export function findGrowth(samples: Samples): readonly string[] {
  const found = eachOf(samples, (watched, what) => {
    const { perHour, first, last } = trendOf(watched);
    const limit = LIMITS[what];
    if (lengthMs(watched) < limit.fromMs || perHour <= limit.perHour) return [];
    return [`GROWTH: ${what} grows by ${perHour} an hour (from ${first} to ${last})`];
  });
  return Object.values(found).flat();
}

function eachOf<T>(
  samples: Samples,
  make: (watched: readonly Sample[], what: Watched) => T,
): Record<Watched, T> {
  return {
    rssMib: make(samples.rssMib, "rssMib"),
    retainedMib: make(samples.retainedMib, "retainedMib"),
    descriptors: make(samples.descriptors, "descriptors"),
    children: make(samples.children, "children"),
  };
}
