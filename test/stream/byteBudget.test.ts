// The budget of bytes that all shards share.

import { setMaxListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteBudget, type ByteShare } from "../../src/stream/budget/byteBudget.ts";

const MIB = 1024 * 1024;
/** A record that is small beside any budget. */
const LITTLE = 100;
const never = () => new AbortController().signal;

/** What can be reserved now; `undefined` when it would have to wait. */
async function reserved(share: ByteShare): Promise<number | undefined> {
  const abort = new AbortController();
  const reserving = share.reserve(LITTLE, abort.signal);
  await Promise.resolve();
  abort.abort();
  return (await reserving) || undefined;
}

test("a shard alone has one batch in hand and one ahead", async () => {
  const share = new ByteBudget(10 * MIB).join();
  expect(await reserved(share)).toBe(5 * MIB);
  expect(await reserved(share)).toBe(5 * MIB);
  expect(await reserved(share)).toBeUndefined();
});

test("a shard that holds nothing may always have one, if a small one", async () => {
  const budget = new ByteBudget(10 * MIB);
  budget.join().hold(50 * MIB);
  expect(await reserved(budget.join())).toBe(MIB / 4);
});

test("a shard that holds nothing may always have one large record", async () => {
  const budget = new ByteBudget(10 * MIB);
  budget.join().hold(50 * MIB);
  const share = budget.join();
  expect(await share.reserve(2 * MIB, never())).toBe(2 * MIB);
});

test("of records that nobody knows, the first shard may have all that the service sends, and the others one", async () => {
  const budget = new ByteBudget(16 * MIB);
  expect(await budget.join().reserve("unknown", never())).toBe(16 * MIB);
  expect(await budget.join().reserve("unknown", never())).toBeGreaterThan((MIB * 4) / 3);
  expect(budget.heldBytes).toBeLessThan(18 * MIB);
  expect(await new ByteBudget(64 * MIB).join().reserve("unknown", never())).toBe(17 * MIB);
});

test("a shard that waits goes on when something is given back, by itself or by another", async () => {
  const budget = new ByteBudget(10 * MIB);
  const [mine, other] = [budget.join(), budget.join()];
  mine.hold(5 * MIB);
  other.hold(5 * MIB);
  const first = mine.reserve(LITTLE, never());
  other.release(3 * MIB);
  mine.release(3 * MIB);
  expect(await first).toBeGreaterThan(0);
  mine.hold(10 * MIB);
  const second = mine.reserve("small", never());
  other.leave();
  mine.release(12 * MIB);
  expect(await second).toBe(0);
});

test("a shard gets an equal part and no more, though there is room", async () => {
  const budget = new ByteBudget(12 * MIB);
  const [greedy, modest, third] = [budget.join(), budget.join(), budget.join()];
  modest.hold(1);
  third.hold(1);
  expect(await reserved(greedy)).toBe(2 * MIB);
  expect(await reserved(greedy)).toBe(2 * MIB);
  expect(await reserved(greedy)).toBeUndefined();
});

test("what is expected to be small only waits while more is held than there is", async () => {
  const budget = new ByteBudget(MIB);
  const share = budget.join();
  share.hold(MIB);
  expect(await share.reserve("small", never())).toBe(0);
  share.hold(1);
  const waiting = share.reserve("small", never());
  share.release(1);
  await waiting;
});

test("an abort ends the waiting", async () => {
  const share = new ByteBudget(MIB).join();
  share.hold(2 * MIB);
  const abort = new AbortController();
  const waiting = share.reserve(LITTLE, abort.signal);
  abort.abort();
  expect(await waiting).toBe(0);
});

test("what was held and given back is not held", () => {
  const budget = new ByteBudget(MIB);
  const share = budget.join();
  share.hold(300);
  share.release(100);
  share.hold(50);
  expect(budget.heldBytes).toBe(250);
  share.leave();
  expect(budget.heldBytes).toBe(0);
});

describe("the size of a batch", () => {
  test("is no more than the service can send", () => {
    expect(new ByteBudget(1_000 * MIB).join().batchBytes()).toBe(17 * MIB);
  });

  // All begin at once, each with a full batch, and go on with another where there is room.
  test("keeps all shards together within the budget and the smallest batch for each", async () => {
    const mib = fc.integer({ min: 1, max: 64 });
    const shards = fc.integer({ min: 1, max: 300 });
    await fc.assert(
      fc.asyncProperty(mib, shards, async (mib, shards) => {
        const budget = new ByteBudget(mib * MIB);
        const shares = Array.from({ length: shards }, () => budget.join());
        const abort = new AbortController();
        setMaxListeners(0, abort.signal);
        const first = await Promise.all(shares.map((share) => share.reserve(LITTLE, abort.signal)));
        expect(Math.min(...first)).toBeGreaterThan(0);
        const second = shares.map((share) => share.reserve(LITTLE, abort.signal));
        abort.abort();
        await Promise.all(second);
        expect(budget.heldBytes).toBeLessThanOrEqual(mib * MIB + (shards * MIB) / 4);
      }),
      { numRuns: 50 },
    );
  });
});
