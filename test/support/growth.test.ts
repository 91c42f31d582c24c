// Tests whether a slope counts as a leak, on samples as a run of an hour may produce them.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Random } from "../chaos/random.ts";
import { retainedMib, trendOf } from "./growth.ts";

/** Half of the limit of a soak run. */
const NO_GROWTH = 2.5;
const SAMPLES = 360;
const EVERY_MS = 10_000;

/** An hour of samples, with noise of ±0.5 MiB. */
function hour(mibAt: (minute: number) => number) {
  const random = new Random(1);
  return Array.from({ length: SAMPLES }, (_, index) => ({
    atMs: index * EVERY_MS,
    value: mibAt((index * EVERY_MS) / 60_000) + random.between(-0.5, 0.5),
  }));
}

test("a daemon that warms up and then stays level does not grow", () => {
  const { perHour } = trendOf(hour((minute) => 20 + 4 * (1 - Math.exp(-minute / 5))));
  expect(Math.abs(perHour)).toBeLessThan(NO_GROWTH);
});

test("a leak of 8 MiB per hour is detected after the same warm-up", () => {
  const leaking = hour((minute) => 20 + 4 * (1 - Math.exp(-minute / 5)) + (8 * minute) / 60);
  expect(trendOf(leaking).perHour).toBeCloseTo(8, 0);
});

test("a burst of five minutes is not growth, even at the very end", () => {
  for (const begun of [35, 55]) {
    const bursting = hour((minute) => (minute >= begun && minute < begun + 5 ? 60 : 20));
    expect(Math.abs(trendOf(bursting).perHour)).toBeLessThan(NO_GROWTH);
  }
});

test("the trend contains the first, the last and the highest value", () => {
  const samples = [3, 9, 5].map((value, atMs) => ({ atMs, value }));
  expect(trendOf(samples)).toMatchObject({ first: 3, last: 5, max: 9 });
  expect(trendOf([])).toEqual({ first: 0, last: 0, max: 0, perHour: 0 });
});

test("only the last daemon in a place is checked", async () => {
  const folder = await mkdtemp(join(tmpdir(), "growth-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "a.heap");
  const MIB = 1024 * 1024;
  const lines = [
    { sinceStartMs: 10, heapUsed: 90 * MIB, external: 0 },
    { sinceStartMs: 20, heapUsed: 91 * MIB, external: 0 },
    { sinceStartMs: 10, heapUsed: 20 * MIB, external: 2 * MIB },
    { sinceStartMs: 20, heapUsed: 21 * MIB, external: 2 * MIB },
  ];
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  expect(retainedMib(file)).toEqual([
    { atMs: 10, value: 22 },
    { atMs: 20, value: 23 },
  ]);
  expect(retainedMib(join(folder, "none"))).toEqual([]);
});
