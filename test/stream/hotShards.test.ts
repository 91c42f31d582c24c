// Which shards are written fast, and how many of them there are.

import { expect, test } from "vitest";
import { HotShards } from "../../src/stream/polling/hotShards.ts";

test("a hot shard sees the number of hot shards, any other sees none", () => {
  const hot = new HotShards();
  expect(hot.measured("a", 1_400)).toBe(1);
  expect(hot.measured("b", 1_400)).toBe(2);
  expect(hot.measured("b", 1_400)).toBe(2);
  expect(hot.measured("c", 10)).toBe(0);
});

test("a shard that has cooled down, or is no longer read, does not count", () => {
  const hot = new HotShards();
  hot.measured("a", 1_400);
  hot.measured("b", 1_400);
  hot.measured("c", 1_400);
  expect(hot.measured("b", 10)).toBe(0);
  hot.forget("c");
  expect(hot.measured("a", 1_400)).toBe(1);
});
