// One request to stop often arrives as two signals, and must not end the daemon at once.

import { expect, test } from "vitest";
import type { Event } from "../../src/events.ts";
import { Ending, SAME_REQUEST_MS, type StopSignal } from "../../src/host/ending.ts";

/** What two signals do, `ms` apart. */
function twoSignals(first: StopSignal, second: StopSignal, ms: number) {
  let nowMs = 0;
  const events: Event[] = [];
  const ending = new Ending({
    graceMs: 60_000,
    isDebugged: true,
    isOneOfSeveral: false,
    emit: (event) => events.push(event),
    clock: { now: () => nowMs, monotonicMs: () => nowMs, sleep: async () => {} },
  });
  ending.request(first);
  nowMs += ms;
  ending.request(second);
  expect(ending.stop.aborted).toBe(true);
  expect(events).toEqual([{ type: "stopRequested", reason: first, graceMs: 60_000 }]);
  return { killed: ending.kill.aborted, exitCode: ending.exitCode };
}

const STOPPED = { killed: false, exitCode: 0 };

test.each([
  { first: "SIGTERM", second: "SIGTERM", ms: 0, outcome: STOPPED },
  { first: "SIGINT", second: "SIGINT", ms: SAME_REQUEST_MS - 1, outcome: STOPPED },
  { first: "SIGTERM", second: "SIGHUP", ms: 5_000, outcome: STOPPED },
  { first: "SIGTERM", second: "SIGTERM", ms: SAME_REQUEST_MS, outcome: killed(143) },
  { first: "SIGINT", second: "SIGINT", ms: 5_000, outcome: killed(130) },
  { first: "SIGINT", second: "SIGTERM", ms: 0, outcome: killed(143) },
] as const)("$first and $second after $ms ms", ({ first, second, ms, outcome }) => {
  expect(twoSignals(first, second, ms)).toEqual(outcome);
});

function killed(exitCode: number) {
  return { killed: true, exitCode };
}
