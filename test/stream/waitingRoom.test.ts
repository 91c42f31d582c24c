// When the waiting room wakes shards, and which ones together.

import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { MOST_TOGETHER, nextGroup, WaitingRoom } from "../../src/stream/polling/waitingRoom.ts";

const due = (dueMs: number, slackMs = 400) => ({ dueMs, slackMs });

describe("a group", () => {
  test("of one shard is woken when the shard is due", () => {
    expect(nextGroup([due(1_000)])).toEqual({ count: 1, wakeMs: 1_000 });
    expect(nextGroup([])).toBeUndefined();
  });

  test("waits for every shard that is due within the slack of the first", () => {
    const waiting = [due(1_000), due(1_200), due(1_400), due(1_401)];
    expect(nextGroup(waiting)).toEqual({ count: 3, wakeMs: 1_400 });
  });

  test("is woken within the slack of each member, with all that are due by then", () => {
    expect(nextGroup([due(1_000), due(1_100, 50), due(1_160)])).toEqual({
      count: 2,
      wakeMs: 1_100,
    });
    expect(nextGroup([due(1_000), due(1_300, 0), due(1_350)])).toEqual({
      count: 2,
      wakeMs: 1_300,
    });
  });

  test("is a single shard if that has no slack", () => {
    expect(nextGroup([due(1_000, 0), due(1_001)])).toEqual({ count: 1, wakeMs: 1_000 });
  });

  test("has a limited size, so that a busy shard does not wait long behind it", () => {
    const many = Array.from({ length: 256 }, (_, i) => due(1_000 + i));
    expect(nextGroup(many)).toEqual({ count: MOST_TOGETHER, wakeMs: 1_000 + MOST_TOGETHER - 1 });
  });
});

describe("the waiting room", () => {
  const nobodyStops = new AbortController().signal;

  test("wakes the whole group when its last member is due", async () => {
    const room = new WaitingRoom(systemClock);
    const beganMs = systemClock.monotonicMs();
    const wokenMs: number[] = [];
    const waits = [500, 505, 560].map(async (afterMs) => {
      await room.wait(due(beganMs + afterMs, 1_000), nobodyStops);
      wokenMs.push(systemClock.monotonicMs());
    });
    await Promise.all(waits);
    expect(Math.min(...wokenMs)).toBeGreaterThanOrEqual(beganMs + 560);
  });

  test("releases a shard that is already due, and one whose signal is aborted", async () => {
    const room = new WaitingRoom(systemClock);
    const nowMs = systemClock.monotonicMs();
    await room.wait(due(nowMs - 1), nobodyStops);
    const stop = new AbortController();
    const stopped = room.wait(due(nowMs + 3_600_000), stop.signal);
    const other = room.wait(due(nowMs + 50), nobodyStops);
    stop.abort();
    await stopped;
    await room.wait(due(nowMs + 3_600_000), stop.signal);
    await other;
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(nowMs + 50);
  });

  test("wakes a shard before those that arrived earlier, if it is due earlier", async () => {
    const room = new WaitingRoom(systemClock);
    const nowMs = systemClock.monotonicMs();
    const late = new AbortController();
    const patient = room.wait(due(nowMs + 3_600_000), late.signal);
    await room.wait(due(nowMs + 20, 0), nobodyStops);
    late.abort();
    await patient;
  });

  test("wakes thousands of shards that are due at the same time", async () => {
    const room = new WaitingRoom(systemClock);
    const dueMs = systemClock.monotonicMs() + 30;
    const waits = Array.from({ length: 3_000 }, () =>
      room.wait(due(dueMs), new AbortController().signal),
    );
    await Promise.all(waits);
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(dueMs);
  });
});
