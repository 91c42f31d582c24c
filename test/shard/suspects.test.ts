import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RecordBatch } from "../../src/model/batch.ts";
import { parsePosition } from "../../src/model/position.ts";
import { type SuspectSettings, Suspects } from "../../src/shard/suspects.ts";
import { batchOf, numbered, sequenceNumbers } from "../support/batches.ts";

const BLOCKING: SuspectSettings = {
  maximumRetryAttempts: -1,
  maximumRecordAgeInSeconds: -1,
  bisectBatchOnFunctionError: false,
};

/** What would be delivered. */
const deliveries = (suspects: Suspects, batch: RecordBatch) =>
  suspects.cut(batch).flatMap(({ records, buried }) => (buried ? [] : [records]));
const parts = (suspects: Suspects, batch: RecordBatch) =>
  deliveries(suspects, batch).map(sequenceNumbers);

describe("without a failure", () => {
  it("a batch is delivered whole", () => {
    expect(parts(new Suspects(BLOCKING), numbered(1, 3))).toEqual([["1", "2", "3"]]);
  });
});

describe("records that a child failed with", () => {
  it("are delivered by themselves the next time", () => {
    const suspects = new Suspects(BLOCKING);
    expect(suspects.accuse(numbered(3, 4), 0)).toEqual({ verdict: "retry", failures: 1 });
    expect(parts(suspects, numbered(1, 6))).toEqual([
      ["1", "2"],
      ["3", "4"],
      ["5", "6"],
    ]);
  });

  it("are retried for ever by default", () => {
    const suspects = new Suspects(BLOCKING);
    for (let failures = 1; failures < 100; failures += 1) {
      expect(suspects.accuse(numbered(1, 2), 0)).toEqual({ verdict: "retry", failures });
    }
  });

  it("are condemned when their retries are used up", () => {
    const suspects = new Suspects({ ...BLOCKING, maximumRetryAttempts: 2 });
    const verdicts = [1, 2, 3].map(() => suspects.accuse(numbered(1, 2), 0).verdict);
    expect(verdicts).toEqual(["retry", "retry", "condemn"]);
  });

  it("are condemned at once when all are too old, and split where some are", () => {
    const suspects = new Suspects({ ...BLOCKING, maximumRecordAgeInSeconds: 60 });
    const arrived = (sequenceNumber: string, seconds: number) => ({
      sequenceNumber,
      approximateArrivalTimestamp: seconds * 1000,
    });
    const old = batchOf([arrived("1", 10), arrived("2", 20)]);
    expect(suspects.accuse(old, 100_000)).toMatchObject({ verdict: "condemn", why: "age" });
    const mixed = batchOf([arrived("3", 10), arrived("4", 90)]);
    expect(suspects.accuse(mixed, 100_000)).toMatchObject({ verdict: "split" });
    expect(parts(suspects, mixed)).toEqual([["3"], ["4"]]);
  });

  it("are forgotten when a delivery of them succeeds, or they are checkpointed", () => {
    const suspects = new Suspects(BLOCKING);
    suspects.accuse(numbered(2, 3), 0);
    suspects.acquit(numbered(2, 3));
    expect(parts(suspects, numbered(1, 4))).toEqual([["1", "2", "3", "4"]]);
    suspects.accuse(numbered(2, 3), 0);
    const checkpoint = parsePosition("3", 0);
    if (checkpoint) suspects.settle(checkpoint);
    expect(parts(suspects, numbered(1, 4))).toEqual([["1", "2", "3", "4"]]);
  });

  it("are left out once they are buried", () => {
    const suspects = new Suspects(BLOCKING);
    suspects.bury(numbered(2, 3));
    expect(parts(suspects, numbered(1, 4))).toEqual([["1"], ["4"]]);
    expect(parts(suspects, numbered(2, 3))).toEqual([]);
  });
});

describe("bisecting", () => {
  it("sends a batch again before it halves it", () => {
    const suspects = new Suspects({ ...BLOCKING, bisectBatchOnFunctionError: true });
    expect(suspects.accuse(numbered(1, 5), 0).verdict).toBe("retry");
    expect(suspects.accuse(numbered(1, 5), 0).verdict).toBe("split");
    expect(parts(suspects, numbered(1, 6))).toEqual([["1", "2", "3"], ["4", "5"], ["6"]]);
  });

  it("halves what it has halved before at once: each failure costs a new child", () => {
    const suspects = new Suspects({ ...BLOCKING, bisectBatchOnFunctionError: true });
    for (let time = 0; time < 2; time += 1) suspects.accuse(numbered(1, 8), 0);
    expect(suspects.accuse(numbered(1, 4), 0).verdict).toBe("split");
    expect(suspects.accuse(numbered(1, 2), 0).verdict).toBe("split");
    expect(parts(suspects, numbered(1, 8))).toEqual([
      ["1"],
      ["2"],
      ["3", "4"],
      ["5", "6", "7", "8"],
    ]);
  });

  // Plays the supervisor's part: deliver from the last success on, accuse, bury.
  function outcome(poison: ReadonlySet<string>, size: number, retries: number) {
    const suspects = new Suspects({
      maximumRetryAttempts: retries,
      maximumRecordAgeInSeconds: -1,
      bisectBatchOnFunctionError: true,
    });
    const batch = numbered(1, size);
    const delivered = new Set<string>();
    const buried: string[] = [];
    for (let lives = 0; lives < 10_000; lives += 1) {
      const killer = deliveries(suspects, batch).find((part) => {
        const numbers = sequenceNumbers(part);
        if (numbers.some((number) => poison.has(number))) return true;
        for (const number of numbers) delivered.add(number);
        suspects.acquit(part);
        return false;
      });
      if (!killer) return { delivered, buried };
      if (suspects.accuse(killer, 0).verdict !== "condemn") continue;
      buried.push(...sequenceNumbers(killer));
      suspects.bury(killer);
    }
    throw new Error("the investigation does not end");
  }

  it("finds exactly the records that kill, wherever they are, and delivers all others", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 5 }),
        fc.integer({ min: 0, max: 3 }),
        (size, places, retries) => {
          const poison = new Set(places.filter((place) => place <= size).map(String));
          const { delivered, buried } = outcome(poison, size, retries);
          expect(new Set(buried)).toEqual(poison);
          expect(buried).toHaveLength(poison.size);
          expect(delivered.size).toBe(size - poison.size);
        },
      ),
    );
  });
});
