import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordBatch } from "../../src/model/batch.ts";
import { type Position, parsePosition } from "../../src/model/position.ts";
import { FailureIsolation, type IsolationSettings } from "../../src/shard/failureIsolation.ts";
import { batchOf, numbered, sequenceNumbers, textOf } from "../support/batches.ts";

const BLOCKING: IsolationSettings = {
  maximumRetryAttempts: -1,
  maximumRecordAgeInSeconds: -1,
  bisectBatchOnFunctionError: false,
};

/** The parts that would be delivered. */
const deliveries = (isolation: FailureIsolation, batch: RecordBatch) =>
  isolation.cut(batch).flatMap(({ records, deadLettered }) => (deadLettered ? [] : [records]));
const parts = (isolation: FailureIsolation, batch: RecordBatch) =>
  deliveries(isolation, batch).map(sequenceNumbers);

describe("without a failure", () => {
  it("a batch is delivered whole", () => {
    expect(parts(new FailureIsolation(BLOCKING), numbered(1, 3))).toEqual([["1", "2", "3"]]);
  });
});

describe("records that a child failed with", () => {
  it("are delivered alone the next time", () => {
    const isolation = new FailureIsolation(BLOCKING);
    expect(isolation.failed(numbered(3, 4), 0)).toEqual({ step: "retry", failures: 1 });
    expect(parts(isolation, numbered(1, 6))).toEqual([
      ["1", "2"],
      ["3", "4"],
      ["5", "6"],
    ]);
  });

  it("are retried without limit by default", () => {
    const isolation = new FailureIsolation(BLOCKING);
    for (let failures = 1; failures < 100; failures += 1) {
      expect(isolation.failed(numbered(1, 2), 0)).toEqual({ step: "retry", failures });
    }
  });

  it("are dead-lettered when their retries are used up", () => {
    const isolation = new FailureIsolation({ ...BLOCKING, maximumRetryAttempts: 2 });
    const steps = [1, 2, 3].map(() => isolation.failed(numbered(1, 2), 0).step);
    expect(steps).toEqual(["retry", "retry", "deadLetter"]);
  });

  it("are dead-lettered at once when all are too old, and split where only some are", () => {
    const isolation = new FailureIsolation({ ...BLOCKING, maximumRecordAgeInSeconds: 60 });
    const arrived = (sequenceNumber: string, seconds: number) => ({
      sequenceNumber,
      approximateArrivalTimestamp: seconds * 1000,
    });
    const old = batchOf([arrived("1", 10), arrived("2", 20)]);
    expect(isolation.failed(old, 100_000)).toMatchObject({ step: "deadLetter", why: "age" });
    const mixed = batchOf([arrived("3", 10), arrived("4", 90)]);
    expect(isolation.failed(mixed, 100_000)).toMatchObject({ step: "split" });
    expect(parts(isolation, mixed)).toEqual([["3"], ["4"]]);
  });

  it("are delivered with others again once a child processed or checkpointed them", () => {
    const isolation = new FailureIsolation(BLOCKING);
    isolation.failed(numbered(2, 3), 0);
    isolation.processed(numbered(2, 3));
    expect(parts(isolation, numbered(1, 4))).toEqual([["1", "2", "3", "4"]]);
    isolation.failed(numbered(2, 3), 0);
    const checkpoint = parsePosition("3", 0);
    if (checkpoint) isolation.checkpointed(checkpoint);
    expect(parts(isolation, numbered(1, 4))).toEqual([["1", "2", "3", "4"]]);
  });

  it("are left out once the destination has them", () => {
    const isolation = new FailureIsolation(BLOCKING);
    isolation.deadLettered(numbered(2, 3));
    expect(parts(isolation, numbered(1, 4))).toEqual([["1"], ["4"]]);
    expect(parts(isolation, numbered(2, 3))).toEqual([]);
  });
});

describe("bisecting", () => {
  it("delivers a batch again before it splits it", () => {
    const isolation = new FailureIsolation({ ...BLOCKING, bisectBatchOnFunctionError: true });
    expect(isolation.failed(numbered(1, 5), 0).step).toBe("retry");
    expect(isolation.failed(numbered(1, 5), 0).step).toBe("split");
    expect(parts(isolation, numbered(1, 6))).toEqual([["1", "2", "3"], ["4", "5"], ["6"]]);
  });

  it("splits a half at once, because each failure costs a new child", () => {
    const isolation = new FailureIsolation({ ...BLOCKING, bisectBatchOnFunctionError: true });
    for (let time = 0; time < 2; time += 1) isolation.failed(numbered(1, 8), 0);
    expect(isolation.failed(numbered(1, 4), 0).step).toBe("split");
    expect(isolation.failed(numbered(1, 2), 0).step).toBe("split");
    expect(parts(isolation, numbered(1, 8))).toEqual([
      ["1"],
      ["2"],
      ["3", "4"],
      ["5", "6", "7", "8"],
    ]);
  });

  // Does what the supervisor does: deliver, report the failure, dead-letter.
  function outcome(poison: ReadonlySet<string>, size: number, retries: number) {
    const isolation = new FailureIsolation({
      maximumRetryAttempts: retries,
      maximumRecordAgeInSeconds: -1,
      bisectBatchOnFunctionError: true,
    });
    const batch = numbered(1, size);
    const delivered = new Set<string>();
    const buried: string[] = [];
    for (let lives = 0; lives < 10_000; lives += 1) {
      const bad = deliveries(isolation, batch).find((part) => {
        const numbers = sequenceNumbers(part);
        if (numbers.some((number) => poison.has(number))) return true;
        for (const number of numbers) delivered.add(number);
        isolation.processed(part);
        return false;
      });
      if (!bad) return { delivered, buried };
      if (isolation.failed(bad, 0).step !== "deadLetter") continue;
      buried.push(...sequenceNumbers(bad));
      isolation.deadLettered(bad);
    }
    throw new Error("the isolation does not end");
  }

  it("dead-letters exactly the records that make the child fail, and delivers all others", () => {
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

/** A batch that counts how often its positions are read. */
class CountingBatch extends RecordBatch {
  looks = 0;

  static of(records: RecordBatch): CountingBatch {
    const starts = Uint32Array.from({ length: records.count + 1 }, (_, index) =>
      index === 0 ? 0 : records.slice(0, index).textBytes + 1,
    );
    return new CountingBatch([{ json: Buffer.from(textOf(records)), starts }]);
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

describe("a batch of 10,000 records, of which 200 scattered ones are dead-lettered,", () => {
  const size = 10_000;
  const buried = Array.from({ length: 200 }, (_, index) => 25 + 50 * index);
  function withDeadLetters(): FailureIsolation {
    const isolation = new FailureIsolation(BLOCKING);
    for (const number of buried) isolation.deadLettered(numbered(number, number));
    return isolation;
  }

  it("is cut with fewer reads of positions than it has records", () => {
    const batch = CountingBatch.of(numbered(1, size));
    const found = withDeadLetters().cut(batch);
    expect(found.filter((part) => part.deadLettered)).toHaveLength(buried.length);
    expect(batch.looks).toBeLessThan(size);
  });

  it("is cut with at most 40 reads of positions a record when each is delivered alone", () => {
    const isolation = withDeadLetters();
    let looks = 0;
    for (let number = 1; number <= size; number += 1) {
      const batch = CountingBatch.of(numbered(number, number));
      isolation.cut(batch);
      looks += batch.looks;
    }
    expect(looks / size).toBeLessThan(40);
  });

  it("is checkpointed record by record with at most 20 reads of positions a checkpoint", () => {
    const isolation = withDeadLetters();
    let looks = 0;
    for (let number = 1; number <= size; number += 1) {
      const batch = CountingBatch.of(numbered(number, number));
      if (batch.last) isolation.checkpointed(batch.last);
      looks += batch.looks;
    }
    expect(looks / size).toBeLessThan(20);
  });
});

describe("after any sequence of failures, dead letters, successes and checkpoints", () => {
  const step = fc.tuple(
    fc.constantFrom(
      "failed" as const,
      "deadLettered" as const,
      "processed" as const,
      "checkpointed" as const,
    ),
    fc.nat({ max: 8 }),
  );
  const settings = fc.record({
    maximumRetryAttempts: fc.integer({ min: -1, max: 2 }),
    maximumRecordAgeInSeconds: fc.constant(-1),
    bisectBatchOnFunctionError: fc.boolean(),
  });
  const batches = fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.nat({ max: 20 })));

  it("a batch is cut into all its records in order, and exactly the dead-lettered ones are left out", () => {
    fc.assert(
      fc.property(settings, fc.array(step), batches, (given, steps, cuts) => {
        const isolation = new FailureIsolation(given);
        const buried = new Set<string>();
        let settled = 0;
        for (const [what, which] of steps) {
          const open = deliveries(isolation, numbered(1, 50));
          const part = open[which % Math.max(1, open.length)];
          if (!part?.last) break;
          if (what === "failed") isolation.failed(part, 0);
          if (what === "deadLettered") isolation.deadLettered(part);
          if (what === "deadLettered")
            for (const number of sequenceNumbers(part)) buried.add(number);
          if (what === "processed") isolation.processed(part);
          if (what === "checkpointed") isolation.checkpointed(part.last);
          if (what === "checkpointed")
            settled = Math.max(settled, Number(part.last.sequenceNumber));
        }
        for (const [from, more] of cuts) {
          const batch = numbered(from, from + more);
          const found = isolation.cut(batch);
          const numbers = found.flatMap(({ records }) => sequenceNumbers(records));
          expect(numbers).toEqual(sequenceNumbers(batch));
          const ahead = (number: string) => Number(number) > settled;
          const left = found.flatMap((part) =>
            part.deadLettered ? sequenceNumbers(part.records) : [],
          );
          expect(left.filter(ahead)).toEqual(
            numbers.filter((number) => buried.has(number) && ahead(number)),
          );
        }
      }),
    );
  });
});
