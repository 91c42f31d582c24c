// The queue between the loop that fetches and the caller.

import { expect, test } from "vitest";
import { type Batch, RecordBatch } from "../../src/model/batch.ts";
import { BatchQueue, putTogether } from "../../src/stream/batchQueue.ts";

const never = new AbortController().signal;
const one = new RecordBatch(Buffer.from("{},"), Uint32Array.of(0, 3));
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

test("batches come out in order, and then the end", async () => {
  const queue = new BatchQueue();
  queue.put(full(1));
  queue.put(full(2));
  queue.end();
  const taken = [await next(queue), await next(queue)];
  expect(taken.map((batch) => batch?.millisBehindLatest)).toEqual([1, 2]);
  expect(await next(queue)).toBeUndefined();
});

test("a failure comes after the batches before it", async () => {
  const queue = new BatchQueue();
  queue.put(full(1));
  queue.end({ error: new Error("broken") });
  expect(await next(queue)).toBeDefined();
  await expect(next(queue)).rejects.toThrow("broken");
});

test("of batches without records only the newest waits", async () => {
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

test("the end of a shard is never replaced", async () => {
  const queue = new BatchQueue();
  queue.put({ ...empty(0), shardEnd: { children: [] } });
  queue.put(empty(1));
  expect((await next(queue))?.shardEnd).toBeDefined();
});

test("who takes waits for what is put; who fetches waits for what is taken", async () => {
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

test("an abort ends both", async () => {
  const queue = new BatchQueue();
  const abort = new AbortController();
  const taking = next(queue, abort.signal);
  abort.abort();
  expect(await taking).toBeUndefined();
  for (let count = 0; count < 4; count += 1) queue.put(full(count));
  await queue.room(upTo4, abort.signal);
});

test("what waits can be taken together, in order, with the news of the last", async () => {
  const queue = new BatchQueue();
  for (const behindMs of [3, 2, 1]) queue.put(full(behindMs));
  queue.put({ ...empty(0), shardEnd: { children: [] } });
  const taken = await queue.take(true, never);
  expect(taken.length).toBe(4);
  const batch = putTogether(taken);
  expect(batch?.records.json.toString()).toBe("{},{},{}");
  expect(batch?.shardEnd).toBeDefined();
  expect(batch?.millisBehindLatest).toBe(0);
});

test("no more than an answer of the service may hold is taken together", async () => {
  const queue = new BatchQueue();
  const many = new RecordBatch(
    Buffer.from("{},".repeat(6_000)),
    Uint32Array.from({ length: 6_001 }, (_, index) => 3 * index),
  );
  for (const behindMs of [2, 1]) queue.put({ records: many, millisBehindLatest: behindMs });
  for (const behindMs of [2, 1]) {
    const [batch, ...more] = await queue.take(true, never);
    expect([batch?.millisBehindLatest, more.length]).toEqual([behindMs, 0]);
  }
});
