// Whether a daemon takes more and more of something: memory, descriptors, processes.

import { systemClock } from "../../src/clock.ts";
import { nowMs } from "./faultLog.ts";
import { type Holding, holdingOf } from "./processes.ts";

export interface Sample extends Holding {
  readonly atMs: number;
}

const EVERY_MS = 2_000;

export async function watch(
  pid: () => number | undefined,
  stop: AbortSignal,
  samples: Sample[],
): Promise<void> {
  while (!stop.aborted) {
    const current = pid();
    const holding = current === undefined ? undefined : holdingOf(current);
    if (holding) samples.push({ atMs: nowMs(), ...holding });
    await systemClock.sleep(EVERY_MS, stop);
  }
}

export interface Trend {
  readonly first: number;
  readonly last: number;
  readonly max: number;
  /** By the line that fits best, the first third left out: a program that has just started still grows. */
  readonly perHour: number;
}

export type Trends = Readonly<Record<keyof Holding, Trend>>;

export function trends(samples: readonly Sample[]): Trends {
  const settled = samples.slice(Math.floor(samples.length / 3));
  const of = (what: keyof Holding): Trend => {
    const values = samples.map((sample) => sample[what]);
    return {
      first: round(values[0] ?? 0),
      last: round(values.at(-1) ?? 0),
      max: round(Math.max(0, ...values)),
      perHour: round(slope(settled.map((sample) => [sample.atMs / 3_600_000, sample[what]]))),
    };
  };
  return { rssMib: of("rssMib"), descriptors: of("descriptors"), children: of("children") };
}

/** What a run of an hour may add. Shards come and go, and memory is given back late. */
const PER_HOUR_MAX = { rssMib: 40, descriptors: 10, children: 4 } satisfies Record<
  keyof Holding,
  number
>;

/** Below this a slope is chance. */
const JUDGED_FROM_MS = 10 * 60_000;

export function findGrowth(samples: readonly Sample[]): readonly string[] {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.atMs - first.atMs < JUDGED_FROM_MS) return [];
  return Object.entries(trends(samples)).flatMap(([what, trend]) => {
    const limit = PER_HOUR_MAX[what as keyof Holding];
    return trend.perHour <= limit
      ? []
      : [
          `GROWTH: ${what} grows by ${trend.perHour} an hour (from ${trend.first} to ${trend.last})`,
        ];
  });
}

/** Of the line through the points that fits best. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (pick: 0 | 1) => points.reduce((sum, point) => sum + point[pick], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const across = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  const along = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return across === 0 ? 0 : along / across;
}

const round = (value: number) => Math.round(value * 10) / 10;
