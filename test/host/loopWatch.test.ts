// What is reported when sleeps end too late.

import { expect, it } from "vitest";
import type { Event } from "../../src/events.ts";
import { watchLoop } from "../../src/host/loopWatch.ts";

/** A watched clock whose sleeps end as late as is wanted. */
function heldClock(dangerMs = 1_000) {
  const events: Event[] = [];
  let nowMs = 5_000_000;
  let lateMs = 0;
  const clock = watchLoop(
    {
      now: () => nowMs,
      monotonicMs: () => nowMs,
      sleep: async (ms) => {
        nowMs += ms + lateMs;
      },
    },
    { dangerMs, emit: (event) => events.push(event) },
  );
  const sleeps = async (count: number, ms: number, late: number, signal?: AbortSignal) => {
    lateMs = late;
    for (let slept = 0; slept < count; slept += 1) await clock.sleep(ms, signal);
  };
  return { events, sleeps };
}

it("reports at once that leases are in danger, and what followed a minute later", async () => {
  const { events, sleeps } = heldClock();
  await sleeps(10, 1_000, 5);
  await sleeps(1, 1_000, 1_500);
  const [first] = events;
  expect(first).toEqual({
    type: "eventLoopHeld",
    endangers: "leases",
    longestMs: 1_500,
    p99Ms: 1_500,
    periodMs: 9 * 1_005 + 2_500,
  });
  await sleeps(2, 1_000, 1_200);
  expect(events).toHaveLength(1);
  await sleeps(100, 1_000, 5);
  expect(events).toMatchObject([first, { endangers: "leases", longestMs: 1_200 }]);
});

it("reports once a minute that records wait, when many sleeps are late", async () => {
  const { events, sleeps } = heldClock();
  await sleeps(700, 100, 300);
  expect(events).toMatchObject([
    { endangers: "latency", longestMs: 300, p99Ms: 300, periodMs: 60_000 },
    { endangers: "latency" },
    { endangers: "latency" },
    { endangers: "latency" },
  ]);
});

it("reports neither a rare delay nor a sleep that was cut short", async () => {
  const { events, sleeps } = heldClock();
  await sleeps(1, 1_000, 900);
  await sleeps(1_000, 100, 20);
  await sleeps(1, 1_000, 9_000, AbortSignal.abort());
  expect(events).toEqual([]);
});
