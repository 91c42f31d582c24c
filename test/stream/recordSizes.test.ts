// How many records are asked for, as their size becomes known.

import { describe, expect, test } from "vitest";
import { RecordSizes } from "../../src/stream/polling/recordSizes.ts";

const MIB = 1024 * 1024;
const MOST = 10_000;

describe("as long as nothing is known", () => {
  const ask = (bytes: number) => new RecordSizes().ask(undefined, bytes, MOST);

  test("as many as fit if each is the largest", () => {
    expect(ask(MIB)).toEqual({ limit: 1, isCautious: true });
    expect(ask(8 * MIB)).toEqual({ limit: 5, isCautious: true });
  });

  test("many, where the largest answer of the service fits", () => {
    expect(ask(16 * MIB).limit).toBeGreaterThan(4_000);
    expect(ask(20 * MIB)).toEqual({ limit: MOST, isCautious: false });
  });

  test("no more than the person wants", () => {
    const wanted = new RecordSizes().ask(undefined, 16 * MIB, 100);
    expect(wanted).toEqual({ limit: 100, isCautious: false });
  });
});

test("few records say little of many", () => {
  const sizes = new RecordSizes();
  sizes.saw(1, 100);
  const limits = Array.from({ length: 4 }, () => {
    const { limit, isCautious } = sizes.ask(100, MIB, MOST);
    sizes.saw(limit, limit * 100);
    return [limit, isCautious];
  });
  expect(limits).toEqual([
    [16, true],
    [272, true],
    [4_624, true],
    [MOST, false],
  ]);
});

test("a shard that was not read yet goes by the largest that others have seen", () => {
  const sizes = new RecordSizes();
  expect(sizes.largestBytes).toBeUndefined();
  sizes.saw(100, 200_000);
  sizes.saw(1_000, 100_000);
  expect(sizes.largestBytes).toBe(2_000);
});

test("a record that is too large is asked for alone", () => {
  const sizes = new RecordSizes();
  sizes.saw(10, 50 * MIB);
  expect(sizes.ask(sizes.largestBytes, MIB, MOST)).toEqual({ limit: 1, isCautious: false });
});
