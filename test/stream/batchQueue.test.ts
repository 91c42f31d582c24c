// The queue between the loop that fetches batches and the consumer.

import { expect, test } from "vitest";
import { type Batch, joined, RecordBatch } from "../../src/model/batch.ts";
import { BatchQueue } from "../../src/stream/batchQueue.ts";
import { textOf } from "../support/batches.ts";

const never = new AbortController().signal;
const one = new RecordBatch([{ json: Buffer.from("{},"), starts: Uint32Array.of(0, 3) }]);
const full = (millisBehindLatest: number): Batch => ({ records: one, millisBehindLatest });
const empty = (millisBehindLatest: number): Batch => ({
  records: RecordBatch.empty,
  millisBehindLatest,
});

/** One batch, or `undefined` at the end. */
async function next(queue: BatchQueue, signal = never): Promise<Batch | undefined> {
  const [batch] = await queue.take(false, signal);
  return batch;
}
const upTo4 = (waiting: number) => waiting < 4;

test("yields batches in order, and then its end", async () => {
  const queue = new BatchQueue();
  queue.put(full(1));
  queue.put(full(2));
  queue.end();
  const taken = [await next(queue), await next(queue)];
  expect(taken.map((batch) => batch?.millisBehindLatest)).toEqual([1, 2]);
  expect(await next(queue)).toBeUndefined();
});

test("throws a failure after the batches before it", async () => {
  const queue = new BatchQueue();
  queue.put(full(1));
  queue.end({ error: new Error("broken") });
  expect(await next(queue)).toBeDefined();
  await expect(next(queue)).rejects.toThrow("broken");
});

test("keeps only the newest of several batches without records", async () => {
  const queue = new BatchQueue();
  queue.put(full(3));
  queue.put(empty(2));
  queue.put(empty(1));
  queue.put(full(0));
  queue.end();
  const taken: unknown[] = [];
  for (let batch = await next(queue); batch; batch = await next(queue)) {
    taken.push(batch.millisBehindLatest);
  }
  expect(taken).toEqual([3, 0]);
});

test("never replaces the end of a shard", async () => {
  const queue = new BatchQueue();
  queue.put({ ...empty(0), shardEnd: { children: [] } });
  queue.put(empty(1));
  expect((await next(queue))?.shardEnd).toBeDefined();
});

test("makes the consumer wait for a batch, and the fetching loop for room", async () => {
  const queue = new BatchQueue();
  const taking = next(queue);
  queue.put(full(1));
  expect((await taking)?.millisBehindLatest).toBe(1);
  for (let count = 0; count < 4; count += 1) queue.put(full(count));
  let room = false;
  const waiting = queue.room(upTo4, never).then(() => {
    room = true;
  });
  await Promise.resolve();
  expect(room).toBe(false);
  await next(queue);
  await waiting;
});

test("ends both waits when the signal is aborted", async () => {
  const queue = new BatchQueue();
  const abort = new AbortController();
  const taking = next(queue, abort.signal);
  abort.abort();
  expect(await taking).toBeUndefined();
  for (let count = 0; count < 4; count += 1) queue.put(full(count));
  await queue.room(upTo4, abort.signal);
});

test("merges the batches in the queue, in order, with the lag of the last one", async () => {
  const queue = new BatchQueue();
  for (const behindMs of [3, 2, 1]) queue.put(full(behindMs));
  queue.put({ ...empty(0), shardEnd: { children: [] } });
  const [first, ...more] = await queue.take(true, never);
  expect(more.length).toBe(3);
  const batch = first && joined(first, ...more);
  expect(batch && textOf(batch.records)).toBe("{},{},{}");
  expect(batch?.shardEnd).toBeDefined();
  expect(batch?.millisBehindLatest).toBe(0);
});

test("keeps misplaced aggregates, also those of batches without records", async () => {
  const queue = new BatchQueue();
  const batches = [full(3), empty(2), full(1)].map((batch) => ({ ...batch, misplaced: [one] }));
  for (const batch of batches) queue.put(batch);
  queue.put(empty(0));
  const [first, ...more] = await queue.take(true, never);
  expect(first && joined(first, ...more).misplaced).toEqual([one, one, one]);
});

test("merges no more than one response may contain", async () => {
  const queue = new BatchQueue();
  const json = Buffer.from("{},".repeat(6_000));
  const starts = Uint32Array.from({ length: 6_001 }, (_, index) => 3 * index);
  const many = new RecordBatch([{ json, starts }]);
  for (const behindMs of [2, 1]) queue.put({ records: many, millisBehindLatest: behindMs });
  for (const behindMs of [2, 1]) {
    const [batch, ...more] = await queue.take(true, never);
    expect([batch?.millisBehindLatest, more.length]).toEqual([behindMs, 0]);
  }
});
