// The first responses of a stream's shards, while the size of its records is unknown.

import { expect, test } from "vitest";
import { ByteBudget } from "../../src/stream/budget/byteBudget.ts";
import { createStream, put, shardsOf, until } from "../support/emulators.ts";
import { keyOfShard } from "../support/mischief.ts";
import { FIRST_SHARD, HORIZON, localReader, records, take, words, wordsOf } from "./support.ts";

const MIB = 1024 * 1024;
const never = () => new AbortController().signal;

test("keeps all shards within the budget, however large the records are", async () => {
  const streamName = await createStream("large-first", 2);
  const large = words("x".repeat(500_000), 6);
  for (const shard of [0, 1] as const) await put(streamName, large, keyOfShard(shard));
  const { read, events } = localReader(streamName, { budget: new ByteBudget(3 * MIB) });
  const shardIds = (await shardsOf(streamName)).map(({ ShardId = "" }) => ShardId);
  const stop = new AbortController();
  const reading = shardIds.map((shardId) =>
    take(read({ shardId }, HORIZON, stop.signal), () => true),
  );
  const fetched = () => events.filter((event) => event.type === "fetched");
  const first = () => shardIds.map((id) => fetched().find(({ shardId }) => shardId === id));
  await until("an answer for each shard", () => first().every((event) => event !== undefined));
  const bytes = first().reduce((sum, event) => sum + (event?.bytes ?? 0), 0);
  expect(bytes).toBeLessThanOrEqual(3 * MIB);
  stop.abort();
  await Promise.all(reading);
});

test("requests one record first, then the others; the next shard requests all", async () => {
  const streamName = await createStream("small-first", 2);
  for (const shard of [0, 1] as const)
    await put(streamName, words(`of ${shard}`, 15), keyOfShard(shard));
  // The first response of another shard is in flight.
  const budget = new ByteBudget(16 * MIB);
  await budget.join().reserve("unknown", never());
  const { read } = localReader(streamName, { budget });
  const first = await take(read({ shardId: FIRST_SHARD }, HORIZON, never()), records(15));
  expect(first.map(({ records }) => records.count)).toEqual([1, 14]);
  const shard = { shardId: "shardId-000000000001" };
  const second = await take(read(shard, HORIZON, never()), records(15));
  expect(second.map(({ records }) => records.count)).toEqual([15]);
  expect(wordsOf([...first, ...second])).toEqual([...words("of 0", 15), ...words("of 1", 15)]);
});
