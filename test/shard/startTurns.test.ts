// How many children start at the same time.

import { expect, test } from "vitest";
import { StartTurns } from "../../src/shard/startTurns.ts";
import { ClockByHand } from "../leases/clockByHand.ts";

/** Three want to start where two may at once. */
function threeOfTwo() {
  const clock = new ClockByHand();
  const turns = new StartTurns(clock, 2);
  const begun: string[] = [];
  const leaving = new AbortController();
  const want = (name: string, signal = new AbortController().signal) =>
    turns.take(signal).then((over) => {
      if (over) begun.push(name);
      return over;
    });
  const [first] = [want("first"), want("second")];
  const third = want("third", leaving.signal);
  return { clock, begun, first, third, leaving, want, settled: () => new Promise(setImmediate) };
}

test("as many as may start at once do, and the next when one of them is up", async () => {
  const { begun, first, settled } = threeOfTwo();
  await settled();
  expect(begun).toEqual(["first", "second"]);
  (await first)?.();
  await settled();
  expect(begun).toEqual(["first", "second", "third"]);
});

test("one that takes its time holds up nobody for longer than a second", async () => {
  const { clock, begun, first, want, settled } = threeOfTwo();
  await settled();
  clock.advance(999);
  await settled();
  expect(begun).toHaveLength(2);
  clock.advance(1);
  await settled();
  expect(begun).toHaveLength(3);
  // A turn that ends late frees no second one: one is free, the third caller has the other.
  (await first)?.();
  void want("fourth");
  void want("fifth");
  await settled();
  expect(begun).toEqual(["first", "second", "third", "fourth"]);
});

test("who does not want to start any more is passed over", async () => {
  const { begun, first, third, leaving, want, settled } = threeOfTwo();
  void want("fourth");
  leaving.abort();
  expect(await third).toBeUndefined();
  (await first)?.();
  await settled();
  expect(begun).toEqual(["first", "second", "fourth"]);
});
