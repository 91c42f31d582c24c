// When a shard is asked again.

import { describe, expect, test } from "vitest";
import { type CallFacts, Pace } from "../../src/stream/polling/pollingPace.ts";

const call = (facts: Partial<CallFacts> = {}): CallFacts => ({
  startedMs: 1_000,
  endedMs: 1_030,
  bytes: 0,
  payloadBytes: 0,
  records: 0,
  millisBehindLatest: 0,
  isCautious: false,
  hotShards: 0,
  ...facts,
});
const idle = (idleTimeBetweenReadsInMillis: number | undefined) => ({
  idleTimeBetweenReadsInMillis,
});
const some = { records: 5, bytes: 5_000, payloadBytes: 3_000 };
const large = { records: 5_000, bytes: 8_000_000, payloadBytes: 5_242_880 };
/** The middle of all chances. */
const half = () => 0.5;

describe("without a setting", () => {
  test("after records it is 250 ms from call to call", () => {
    expect(new Pace(idle(undefined), half).nextMs(call(some))).toBe(1_250);
  });

  test("many hot shards are asked less often, each at least once a second; the others as before", () => {
    const gaps = [0, 1, 8, 16, 32, 256].map((hotShards) => {
      const pace = new Pace(idle(undefined), half);
      return pace.nextMs(call({ ...some, hotShards })) - 1_000;
    });
    expect(gaps).toEqual([250, 250, 250, 500, 1_000, 1_000]);
  });

  test("behind the tip, a hot shard is asked at once however many there are", () => {
    const pace = new Pace(idle(undefined), half);
    expect(pace.nextMs(call({ ...large, millisBehindLatest: 9, hotShards: 64 }))).toBe(1_000);
  });

  test("without records it slows down to a second, and is quick again after the first record", () => {
    const pace = new Pace(idle(undefined), half);
    const waits = Array.from({ length: 12 }, () => pace.nextMs(call()) - 1_000);
    expect(waits[0]).toBeLessThan(320);
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(waits.at(-1)).toBe(1_000);
    expect(pace.nextMs(call(some))).toBe(1_250);
  });

  test("behind the tip it asks at once while there is much, and five times a second while there is little", () => {
    const pace = new Pace(idle(undefined), half);
    expect(pace.nextMs(call({ ...large, millisBehindLatest: 9 }))).toBe(1_000);
    expect(pace.nextMs(call({ ...some, millisBehindLatest: 9 }))).toBe(1_200);
    expect(pace.nextMs(call({ millisBehindLatest: 9 }))).toBe(1_200);
  });

  test("behind the tip it asks at once after an answer that was kept small in caution", () => {
    const pace = new Pace(idle(undefined), half);
    const first = { isCautious: true, millisBehindLatest: 9 };
    expect(pace.nextMs(call({ ...first, ...some }))).toBe(1_000);
    expect(pace.nextMs(call(first))).toBe(1_200);
  });

  test("throttled once, it keeps to 2 MiB of payload and 5 calls a second", () => {
    const pace = new Pace(idle(undefined), half);
    pace.throttledMs(2_000);
    pace.nextMs(call());
    const waitMs = pace.nextMs(call({ ...large, millisBehindLatest: 9 })) - 1_000;
    expect(waitMs).toBe(2_500);
    expect(pace.nextMs(call({ ...some, millisBehindLatest: 9 }))).toBe(1_200);
  });

  test("throttled for the first time, it waits until its last call is made up for", () => {
    const pace = new Pace(idle(undefined), half);
    pace.nextMs(call({ ...large, millisBehindLatest: 9 }));
    expect(pace.throttledMs(1_500)).toBe(2_000);
    expect(pace.nextMs(call({ ...some, startedMs: 4_000 })) - 4_000).toBe(250);
  });

  test("throttled again and again, it waits longer, and recovers step by step", () => {
    const pace = new Pace(idle(undefined), half);
    const waits = Array.from({ length: 20 }, () => pace.throttledMs(2_000));
    expect(waits[1]).toBeGreaterThan(waits[0] ?? 0);
    expect(Math.max(...waits)).toBeLessThanOrEqual(10_000);
    const after = Array.from({ length: 6 }, () => pace.nextMs(call(some)) - 1_000);
    expect(after).toEqual([2_000, 1_000, 500, 250, 250, 250]);
  });
});

describe("with idleTimeBetweenReadsInMillis", () => {
  test("it is as long as was set from call to call, whatever the call brought", () => {
    const pace = new Pace(idle(700), half);
    for (const facts of [{}, some, large, { ...large, millisBehindLatest: 9 }]) {
      expect(pace.nextMs(call(facts))).toBe(1_700);
    }
  });

  test("it is at least half as long from the end of a call", () => {
    expect(new Pace(idle(700), half).nextMs(call({ endedMs: 1_400 }))).toBe(1_750);
  });

  test("throttled once, it keeps to 2 MiB of payload a second as well", () => {
    const pace = new Pace(idle(700), half);
    pace.nextMs(call({ ...large, millisBehindLatest: 9 }));
    pace.throttledMs(1_500);
    expect(pace.nextMs(call({ ...large, millisBehindLatest: 9 }))).toBe(3_500);
    expect(pace.nextMs(call(some))).toBe(1_700);
  });

  test("less than 200 is 200", () => {
    expect(new Pace(idle(0), half).nextMs(call())).toBe(1_200);
  });

  test("it waits at least as long after a failure", () => {
    const pace = new Pace(idle(5_000), () => 0);
    expect(pace.failedMs(false)).toBe(5_000);
    expect(pace.throttledMs(2_000)).toBe(5_000);
  });
});

test("a shard that is nearly at its tip can be read more seldom", () => {
  for (const idleTimeBetweenReadsInMillis of [300, undefined]) {
    const millisBehindLatestThresholdForReducedTps = 4_000;
    const pace = new Pace({
      idleTimeBetweenReadsInMillis,
      millisBehindLatestThresholdForReducedTps,
    });
    expect(pace.nextMs(call({ ...some, millisBehindLatest: 3_999 }))).toBe(5_030);
    expect(pace.nextMs(call({ ...some, millisBehindLatest: 4_000 }))).toBeLessThan(1_400);
  }
});

describe("after failures", () => {
  test("the wait is never shorter than 200 ms, nor longer than 10 s", () => {
    expect(new Pace(idle(undefined), () => 0).failedMs(false)).toBe(200);
    expect(failures(new Pace(idle(undefined), () => 1), 100, false)).toBe(10_000);
  });
  test("it is longer when a person has to mend it", () => {
    const pace = new Pace(idle(undefined), () => 1);
    expect(pace.failedMs(true)).toBe(2_000);
    expect(failures(pace, 100, true)).toBe(30_000);
  });
  test("it begins anew when the trouble is another, or an answer came between", () => {
    const pace = new Pace(idle(undefined), () => 1);
    failures(pace, 100, false);
    expect(pace.failedMs(true)).toBe(2_000);
    failures(pace, 100, true);
    expect(pace.failedMs(false)).toBe(400);
    failures(pace, 100, false);
    pace.throttledMs(2_000);
    expect(pace.failedMs(false)).toBe(400);
    failures(pace, 100, false);
    pace.nextMs(call());
    expect(pace.failedMs(false)).toBe(400);
  });

  /** @returns the wait after the last of them. */
  function failures(pace: Pace, times: number, denied: boolean): number {
    return Math.max(...Array.from({ length: times }, () => pace.failedMs(denied)).slice(-1));
  }
});
