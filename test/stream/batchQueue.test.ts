// The queue between the loop that fetches and the caller.

import { expect, test } from "vitest";
import { type Batch, RecordBatch } from "../../src/model/batch.ts";
import { BatchQueue } from "../../src/stream/batchQueue.ts";

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
