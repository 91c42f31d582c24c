// Decides from samples of a long run whether a value grows without limit. The first half is left
// out, because a program that has just started still compiles, caches and fills its buffers. The
// slope of the rest is the median of the slopes between all pairs of samples (Theil and Sen). A
// burst or a few stray samples do not change it.

import { readFileSync } from "node:fs";

export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

export interface Trend {
  readonly first: number;
  readonly last: number;
  readonly max: number;
  /** The growth per hour over the second half of the run. */
  readonly perHour: number;
}

const HOUR_MS = 3_600_000;
const MIB = 1024 * 1024;

export function trendOf(samples: readonly Sample[]): Trend {
  const values = samples.map(({ value }) => value);
  return {
    first: round(values[0] ?? 0),
    last: round(values.at(-1) ?? 0),
    max: round(Math.max(0, ...values)),
    perHour: round(slopePerHour(secondHalf(samples))),
  };
}

/** How long the run was sampled. */
export function lengthMs(samples: readonly Sample[]): number {
  return (samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0);
}

/**
 * Reads what `heapProbe.mjs` wrote: the memory that survives a full garbage collection, in MiB,
 * including buffers outside of the heap. Only the last daemon in this place counts.
 */
export function retainedMib(probeFile: string): readonly Sample[] {
  const samples = readLines(probeFile).map((line) => {
    const { sinceStartMs, heapUsed, external } = JSON.parse(line) as Record<string, number>;
    return { atMs: sinceStartMs ?? 0, value: ((heapUsed ?? 0) + (external ?? 0)) / MIB };
  });
  const lastStart = samples.findLastIndex(
    ({ atMs }, index) => atMs < (samples[index - 1]?.atMs ?? 0),
  );
  return samples.slice(Math.max(0, lastStart));
}

function readLines(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean);
  } catch {
    // The daemon ended before its first sample.
    return [];
  }
}

function secondHalf(samples: readonly Sample[]): readonly Sample[] {
  const fromMs = (samples[0]?.atMs ?? 0) + lengthMs(samples) / 2;
  return samples.filter(({ atMs }) => atMs >= fromMs);
}

function slopePerHour(samples: readonly Sample[]): number {
  const slopes = samples.flatMap((from, index) =>
    samples
      .slice(index + 1)
      .filter(({ atMs }) => atMs > from.atMs)
      .map((to) => ((to.value - from.value) / (to.atMs - from.atMs)) * HOUR_MS),
  );
  return median(slopes);
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

const round = (value: number) => Math.round(value * 10) / 10;
