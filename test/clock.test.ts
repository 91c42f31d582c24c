// Sleeps of the real clock.

import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { systemClock } from "../src/clock.ts";

const LONG_MS = 1_000_000;

test("a sleep ends when its signal is aborted, and leaves no listener and no timer behind", async () => {
  const { signal, abort } = controller();
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  const sleep = systemClock.sleep(LONG_MS, signal);
  expect(timers()).toBe(before + 1);
  abort();
  await sleep;
  expect(timers()).toBe(before);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a sleep that lasts leaves no listener behind, and an aborted signal means none", async () => {
  const { signal, abort } = controller();
  await systemClock.sleep(1, signal);
  expect(getEventListeners(signal, "abort")).toEqual([]);
  abort();
  await systemClock.sleep(LONG_MS, signal);
});

function controller() {
  const made = new AbortController();
  return { signal: made.signal, abort: () => made.abort() };
}
