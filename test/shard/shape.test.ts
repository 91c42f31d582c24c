import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { type Batch, RecordBatch } from "../../src/model/batch.ts";
import { gathered, limited } from "../../src/shard/shape.ts";
import { numbered, sequenceNumbers, textOf } from "../support/batches.ts";
import { unhandledDuring } from "../support/rejections.ts";
import { leftIn } from "../support/signals.ts";

const batch = (from: number, to: number): Batch => ({
  records: numbered(from, to),
  millisBehindLatest: 0,
});

async function* stream(...batches: readonly Batch[]): AsyncGenerator<Batch> {
  yield* batches;
}

async function all(batches: AsyncIterable<Batch>): Promise<readonly (readonly string[])[]> {
  const found: (readonly string[])[] = [];
  for await (const { records } of batches) found.push(sequenceNumbers(records));
  return found;
}

const never = new AbortController().signal;

describe("a limit", () => {
  it("on records cuts a batch into parts of that size", () => {
    const parts = limited(numbered(1, 5), { maxBatchRecords: 2, maxBatchWindowMs: 0 });
    expect(parts.map(sequenceNumbers)).toEqual([["1", "2"], ["3", "4"], ["5"]]);
  });

  it("on bytes or records keeps all records in order, and every part of two or more is within it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 2000 }),
        (count, maxBatchRecords, maxBatchBytes) => {
          const records = numbered(1, count);
          const parts = limited(records, { maxBatchRecords, maxBatchBytes, maxBatchWindowMs: 0 });
          expect(parts.flatMap(sequenceNumbers)).toEqual(sequenceNumbers(records));
          for (const part of parts) {
            expect(part.count).toBeLessThanOrEqual(maxBatchRecords);
            if (part.count > 1) expect(part.textBytes).toBeLessThanOrEqual(maxBatchBytes);
          }
        },
      ),
    );
  });
});

describe("gathering", () => {
  it("joins small batches", async () => {
    const settings = { maxBatchWindowMs: 60_000 };
    const end: Batch = { ...batch(5, 5), shardEnd: { children: [] } };
    const found = await all(
      gathered(stream(batch(1, 2), batch(3, 4), end), settings, systemClock, never),
    );
    expect(found).toEqual([["1", "2", "3", "4", "5"]]);
  });

  it("ends when the joined batch is full", async () => {
    const settings = { maxBatchWindowMs: 60_000, maxBatchRecords: 3 };
    const source = stream(batch(1, 2), batch(3, 4), batch(5, 8), batch(9, 9));
    const found = await all(gathered(source, settings, systemClock, never));
    expect(found).toEqual([["1", "2", "3", "4"], ["5", "6", "7", "8"], ["9"]]);
  });

  it("ends with its window, and later records are in the next batch", async () => {
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    async function* slow(): AsyncGenerator<Batch> {
      yield batch(1, 2);
      await gate;
      yield batch(3, 4);
    }
    const found = gathered(slow(), { maxBatchWindowMs: 1 }, systemClock, never);
    const first = await found.next();
    expect(first.done ? [] : sequenceNumbers(first.value.records)).toEqual(["1", "2"]);
    release();
    const second = await found.next();
    expect(second.done ? [] : sequenceNumbers(second.value.records)).toEqual(["3", "4"]);
    expect((await found.next()).done).toBe(true);
  });
});

describe("a source that fails", () => {
  async function* failing(sizes: readonly number[], error: Error): AsyncGenerator<Batch> {
    let next = 1;
    for (const size of sizes) {
      yield batch(next, next + size - 1);
      next += size;
    }
    throw error;
  }

  it("throws where the next batch is read, however long the child worked on the last one", async () => {
    const property = fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 8 }),
      async (sizes, maxBatchRecords) => {
        const error = new Error("the source failed");
        const settings = { maxBatchWindowMs: 60_000, maxBatchRecords };
        const found: string[] = [];
        const consume = async () => {
          for await (const { records } of gathered(
            failing(sizes, error),
            settings,
            systemClock,
            never,
          )) {
            found.push(...sequenceNumbers(records));
            // While the child works, the event loop reports unhandled rejections.
            await new Promise(setImmediate);
            await new Promise(setImmediate);
          }
        };
        const unhandled = await unhandledDuring(async () => {
          await expect(consume()).rejects.toBe(error);
        });
        expect(unhandled).toEqual([]);
        const given = sizes.reduce((sum, size) => sum + size, 0);
        expect(found).toEqual(sequenceNumbers(numbered(1, given)).slice(0, found.length));
      },
    );
    await fc.assert(property, { numRuns: 30 });
  });
});

describe("many windows", () => {
  it("leave no listener in a signal that outlives them", async () => {
    const { signal } = new AbortController();
    async function* slow(): AsyncGenerator<Batch> {
      for (let number = 1; number <= 20; number += 1) {
        yield batch(number, number);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
    const found = await all(gathered(slow(), { maxBatchWindowMs: 1 }, systemClock, signal));
    expect(found.flat()).toHaveLength(20);
    expect(leftIn(signal)).toBe(0);
  });
});

describe("joined batches", () => {
  it("equal one batch that was never split", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 6 }), (sizes) => {
        let next = 1;
        const parts = sizes.map((size) => {
          next += size;
          return numbered(next - size, next - 1);
        });
        const whole = RecordBatch.concat(parts);
        const expected = numbered(1, next - 1);
        expect(textOf(whole)).toBe(textOf(expected));
        expect(whole.textBytes).toBe(expected.textBytes);
        expect(sequenceNumbers(whole)).toEqual(sequenceNumbers(expected));
      }),
    );
  });
});
