// What one shard may hold beside the others.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  batchBytes,
  grantedBytes,
  LARGEST_BATCH_BYTES,
  mayHold,
  type Pools,
  type Situation,
  SMALLEST_BATCH_BYTES,
} from "../../src/stream/budget/allowance.ts";

const MIB = 1024 * 1024;
const POOLS: Pools = { sharedBytes: 16 * MIB, eachBytes: 8 * MIB, needsBytes: 240 * MIB };

interface Shard {
  heldBytes: number;
  readonly neededBytes: number;
}

function situationOf(shard: Shard, all: readonly Shard[]): Situation {
  const others = all.filter((other) => other !== shard);
  const sum = (of: (shard: Shard) => number) => all.reduce((total, each) => total + of(each), 0);
  return {
    ...shard,
    allHeldBytes: sum(({ heldBytes }) => heldBytes),
    allNeededBytes: sum(({ neededBytes }) => neededBytes),
    needing: 1 + others.filter(({ neededBytes }) => neededBytes > 0).length,
    holding: 1 + others.filter(({ heldBytes }) => heldBytes > 0).length,
  };
}

const needs = fc.integer({ min: 0, max: LARGEST_BATCH_BYTES });
const shard = fc.record({ heldBytes: fc.integer({ min: 0, max: 20 * MIB }), neededBytes: needs });
const manyShards = fc.array(shard, { minLength: 1, maxLength: 200 });

describe("whatever the others hold", () => {
  test("each shard may fetch what it needs, where the bound permits what all need", () => {
    fc.assert(
      fc.property(manyShards, (all) => {
        const needed = all.reduce((sum, { neededBytes }) => sum + neededBytes, 0);
        const needing = all.filter(({ neededBytes }) => neededBytes > 0).length;
        fc.pre(needed <= Math.min(needing * POOLS.eachBytes, POOLS.needsBytes));
        for (const each of all) {
          const empty = { ...each, heldBytes: 0 };
          const situation = situationOf(empty, [empty, ...all.filter((other) => other !== each)]);
          expect(batchBytes(situation, POOLS)).toBeGreaterThanOrEqual(each.neededBytes);
          expect(mayHold(each.neededBytes, situation, POOLS)).toBe(true);
        }
      }),
    );
  });

  test("what all are granted keeps to the bound, and none gets less than an equal part that it needs", () => {
    fc.assert(
      fc.property(manyShards, (all) => {
        const granted = all.map((each) => grantedBytes(situationOf(each, all), POOLS));
        const needing = all.filter(({ neededBytes }) => neededBytes > 0).length;
        const bound = Math.min(Math.max(1, needing) * POOLS.eachBytes, POOLS.needsBytes);
        expect(granted.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(bound + 1);
        for (const [index, { neededBytes }] of all.entries()) {
          const part = bound / Math.max(1, needing);
          expect(granted[index]).toBeGreaterThanOrEqual(Math.floor(Math.min(neededBytes, part)));
        }
      }),
    );
  });

  test("a shard whose child hangs holds no more than a batch, once the others use the shared pool", () => {
    fc.assert(
      fc.property(manyShards, needs, (others, neededBytes) => {
        const hanging: Shard = { heldBytes: 0, neededBytes };
        const all = [hanging, { heldBytes: POOLS.sharedBytes, neededBytes: 0 }, ...others];
        const one = batchBytes(situationOf(hanging, all), POOLS);
        hanging.heldBytes = one;
        expect(mayHold(one, situationOf(hanging, all), POOLS)).toBe(false);
        expect(one).toBeLessThanOrEqual(Math.max(neededBytes, SMALLEST_BATCH_BYTES));
      }),
    );
  });
});

test("all together keep to both pools and the smallest batch for each, in whatever order they fetch and give back", () => {
  const step = fc.record({ shard: fc.nat(), fetch: fc.boolean() });
  fc.assert(
    fc.property(manyShards, fc.array(step, { maxLength: 300 }), (given, steps) => {
      const all = given.map(({ neededBytes }) => ({ heldBytes: 0, neededBytes }));
      const most = POOLS.sharedBytes + POOLS.needsBytes + all.length * SMALLEST_BATCH_BYTES;
      for (const { shard: index, fetch } of steps) {
        const each = all[index % all.length];
        if (!each) continue;
        const situation = situationOf(each, all);
        const bytes = batchBytes(situation, POOLS);
        if (!fetch) each.heldBytes = 0;
        else if (mayHold(bytes, situation, POOLS)) each.heldBytes += bytes;
        const held = all.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
        expect(held).toBeLessThanOrEqual(most);
      }
    }),
  );
});

test("where the person has set a limit, needs change nothing", () => {
  const limited: Pools = { sharedBytes: 4 * MIB, eachBytes: 0, needsBytes: 0 };
  fc.assert(
    fc.property(manyShards, (all) => {
      const without = all.map(({ heldBytes }) => ({ heldBytes, neededBytes: 0 }));
      for (const [index, each] of all.entries()) {
        const same = without[index];
        if (!same) continue;
        const [asked, plain] = [situationOf(each, all), situationOf(same, without)];
        expect(batchBytes(asked, limited)).toBe(batchBytes(plain, limited));
        expect(mayHold(MIB, asked, limited)).toBe(mayHold(MIB, plain, limited));
      }
    }),
  );
});
