import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordBatch } from "../../src/model/batch.ts";
import { type Position, parsePosition } from "../../src/model/position.ts";
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

/** A batch that counts how often one of its positions is looked at. */
class CountingBatch extends RecordBatch {
  looks = 0;

  static of(records: RecordBatch): CountingBatch {
    const starts = Uint32Array.from({ length: records.count + 1 }, (_, index) =>
      index === 0 ? 0 : records.slice(0, index).json.length + 1,
    );
    return new CountingBatch(records.json, starts);
  }

  override position(index: number): Position {
    const { sequenceNumber, subSequenceNumber } = super.position(index);
    const count = () => {
      this.looks += 1;
    };
    return {
      get sequenceNumber() {
        count();
        return sequenceNumber;
      },
      subSequenceNumber,
    };
  }
}

describe("a batch of 10,000 records, of which 200 are buried, one here and one there,", () => {
  const size = 10_000;
  const buried = Array.from({ length: 200 }, (_, index) => 25 + 50 * index);
  function buriedHere(): Suspects {
    const suspects = new Suspects(BLOCKING);
    for (const number of buried) suspects.bury(numbered(number, number));
    return suspects;
  }

  it("is cut with fewer looks at its positions than it has records", () => {
    const batch = CountingBatch.of(numbered(1, size));
    const found = buriedHere().cut(batch);
    expect(found.filter((part) => part.buried)).toHaveLength(buried.length);
    expect(batch.looks).toBeLessThan(size);
  });

  it("is cut with no more than a few dozen looks a record when each is delivered by itself", () => {
    const suspects = buriedHere();
    let looks = 0;
    for (let number = 1; number <= size; number += 1) {
      const batch = CountingBatch.of(numbered(number, number));
      suspects.cut(batch);
      looks += batch.looks;
    }
    expect(looks / size).toBeLessThan(40);
  });

  it("is checkpointed record by record with a few looks at each checkpoint", () => {
    const suspects = buriedHere();
    let looks = 0;
    for (let number = 1; number <= size; number += 1) {
      const batch = CountingBatch.of(numbered(number, number));
      if (batch.last) suspects.settle(batch.last);
      looks += batch.looks;
    }
    expect(looks / size).toBeLessThan(20);
  });
});

describe("whatever has failed, was buried, delivered or checkpointed", () => {
  const step = fc.tuple(
    fc.constantFrom("accuse" as const, "bury" as const, "acquit" as const, "settle" as const),
    fc.nat({ max: 8 }),
  );
  const settings = fc.record({
    maximumRetryAttempts: fc.integer({ min: -1, max: 2 }),
    maximumRecordAgeInSeconds: fc.constant(-1),
    bisectBatchOnFunctionError: fc.boolean(),
  });
  const batches = fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.nat({ max: 20 })));

  it("a batch is cut into all its records in order, and exactly the buried ones are left out", () => {
    fc.assert(
      fc.property(settings, fc.array(step), batches, (given, steps, cuts) => {
        const suspects = new Suspects(given);
        const buried = new Set<string>();
        let settled = 0;
        for (const [what, which] of steps) {
          const open = deliveries(suspects, numbered(1, 50));
          const part = open[which % Math.max(1, open.length)];
          if (!part?.last) break;
          if (what === "accuse") suspects.accuse(part, 0);
          if (what === "bury") suspects.bury(part);
          if (what === "bury") for (const number of sequenceNumbers(part)) buried.add(number);
          if (what === "acquit") suspects.acquit(part);
          if (what === "settle") suspects.settle(part.last);
          if (what === "settle") settled = Math.max(settled, Number(part.last.sequenceNumber));
        }
        for (const [from, more] of cuts) {
          const batch = numbered(from, from + more);
          const found = suspects.cut(batch);
          const numbers = found.flatMap(({ records }) => sequenceNumbers(records));
          expect(numbers).toEqual(sequenceNumbers(batch));
          const ahead = (number: string) => Number(number) > settled;
          const left = found.flatMap((part) => (part.buried ? sequenceNumbers(part.records) : []));
          expect(left.filter(ahead)).toEqual(
            numbers.filter((number) => buried.has(number) && ahead(number)),
          );
        }
      }),
    );
  });
});
