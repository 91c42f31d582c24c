// The budget of bytes that all shards share.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteBudget, type ByteShare } from "../../src/stream/byteBudget.ts";

const MIB = 1024 * 1024;
const never = () => new AbortController().signal;

/** Whether there is room now. */
async function hasRoom(share: ByteShare, bytes: number): Promise<boolean> {
  const abort = new AbortController();
  let room = false;
  const asking = share.room(bytes, abort.signal).then(() => {
    room = !abort.signal.aborted;
  });
  await Promise.resolve();
  await Promise.resolve();
  abort.abort();
  await asking;
  return room;
}

test("a shard that holds nothing may always have one batch", async () => {
  const budget = new ByteBudget(10 * MIB);
  budget.join().hold(50 * MIB);
  expect(await hasRoom(budget.join(), 5 * MIB)).toBe(true);
});

test("a shard that holds something waits until there is room for more", async () => {
  const budget = new ByteBudget(10 * MIB);
  const share = budget.join();
  share.hold(6 * MIB);
  expect(await hasRoom(share, 4 * MIB)).toBe(true);
  expect(await hasRoom(share, 5 * MIB)).toBe(false);
  const waiting = share.room(5 * MIB, never());
  share.release(2 * MIB);
  await waiting;
});

test("another shard's release lets it go on, too", async () => {
  const budget = new ByteBudget(10 * MIB);
  const [mine, other] = [budget.join(), budget.join()];
  mine.hold(2 * MIB);
  other.hold(8 * MIB);
  const waiting = mine.room(2 * MIB, never());
  other.leave();
  await waiting;
});

test("a shard gets an equal part and no more, though there is room", async () => {
  const budget = new ByteBudget(12 * MIB);
  const [greedy, modest, third] = [budget.join(), budget.join(), budget.join()];
  modest.hold(1);
  third.hold(1);
  greedy.hold(3 * MIB);
  expect(await hasRoom(greedy, 1 * MIB)).toBe(true);
  expect(await hasRoom(greedy, 2 * MIB)).toBe(false);
});

test("an abort ends the waiting", async () => {
  const budget = new ByteBudget(MIB);
  const share = budget.join();
  share.hold(MIB);
  const abort = new AbortController();
  const waiting = share.room(1, abort.signal);
  abort.abort();
  await waiting;
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

  // Shards that all begin at once, each with a full batch, and each with another ahead where there is room.
  test("keeps all shards together within the budget and the smallest batch for each", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 300 }),
        async (mib, shards) => {
          const budget = new ByteBudget(mib * MIB);
          const shares = Array.from({ length: shards }, () => budget.join());
          for (const share of [...shares, ...shares]) {
            const bytes = share.batchBytes();
            if (await hasRoom(share, bytes)) share.hold(bytes);
          }
          expect(shares.every(({ heldBytes }) => heldBytes > 0)).toBe(true);
          expect(budget.heldBytes).toBeLessThanOrEqual(mib * MIB + shards * 256 * 1024);
        },
      ),
      { numRuns: 30 },
    );
  });
});
