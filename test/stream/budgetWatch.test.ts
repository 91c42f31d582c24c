// Shards that our own limit makes fall behind are told, when it lasts.

import { expect, test } from "vitest";
import type { Clock } from "../../src/clock.ts";
import type { Event } from "../../src/events.ts";
import { BudgetWatch } from "../../src/stream/budget/budgetWatch.ts";
import { ByteBudget } from "../../src/stream/budget/byteBudget.ts";

const MIB = 1024 * 1024;

function watch(limitBytes?: number) {
  const events: Event[] = [];
  let nowMs = 0;
  const clock: Clock = { now: () => nowMs, monotonicMs: () => nowMs, sleep: async () => {} };
  const budget = new ByteBudget(limitBytes);
  budget.join().needs(3 * MIB);
  budget.join().needs(MIB);
  const seen = new BudgetWatch(budget, (event) => events.push(event), clock);
  const after = (ms: number) => {
    nowMs += ms;
    return seen;
  };
  return { after, events };
}

test("which they are, since when, the limit, and one that is enough for all", () => {
  const { after, events } = watch(MIB);
  after(0).received("b", true);
  after(5_000).received("a", true);
  after(4_000).received("b", true);
  expect(events).toEqual([]);
  after(6_000).received("b", true);
  expect(events).toEqual([
    {
      type: "readingThrottledByBudget",
      shardIds: ["a", "b"],
      forMs: 15_000,
      limitBytes: MIB,
      enoughBytes: 12 * MIB,
    },
  ]);
});

test("only now and then, and not of a shard that is well again or was left", () => {
  const { after, events } = watch();
  after(0).received("a", true);
  after(0).received("b", true);
  after(9_000).received("a", false);
  after(0).forget("b");
  after(2_000).received("a", true);
  expect(events).toEqual([]);
  after(10_000).received("a", true);
  after(299_000).received("a", true);
  expect(events.length).toBe(1);
  after(1_000).received("a", true);
  expect(events.length).toBe(2);
});
