// What is no longer there: a shard, a stream, or the place in a shard where reading is to go on.

import { GetShardIteratorCommand } from "@aws-sdk/client-kinesis";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { type Position, parsePosition } from "../../src/model/position.ts";
import {
  createStream,
  type PutRecord,
  put,
  shardsOf,
  testKinesis,
  uniqueName,
  until,
} from "../support/emulators.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "../support/faultProxy.ts";
import { fanout } from "./fanoutSupport.ts";
import { FIRST_SHARD, HORIZON, localReader, records, take, words, wordsOf } from "./support.ts";

const shard = { shardId: FIRST_SHARD };
const error = (name: string): Fault => ({ type: "error", name });

let proxy: FaultProxy;
beforeEach(async () => {
  proxy = await startFaultProxy(inject("kinesisUrl"));
});
afterEach(() => proxy.stop());

/** A listing without the first shard. */
const withoutFirst: Fault = {
  type: "corrupt",
  edit: (body) => JSON.stringify({ Shards: JSON.parse(body).Shards.slice(1) }),
};

const at = (sequenceNumber: string): Position => {
  const position = parsePosition(sequenceNumber, 0);
  if (!position) throw new Error(`${sequenceNumber} is no position`);
  return position;
};

const pollingOf = (streamName: string) => localReader(streamName, { endpoint: proxy.url });

/** Reads, in vain, until there is trouble. */
async function toldReading(
  { read, events }: ReturnType<typeof localReader>,
  from: Position,
  shardId = FIRST_SHARD,
) {
  const abort = new AbortController();
  const reading = take(read({ shardId }, from, abort.signal), () => false);
  const trouble = () => events.find((event) => event.type === "serviceTrouble");
  await until("trouble", () => trouble() !== undefined);
  abort.abort();
  expect(await reading).toEqual([]);
  return trouble();
}

describe("a shard that the service does not find", () => {
  test("has ended, when it is not listed either; it is told that its records may be lost", async () => {
    const streamName = await createStream("gone", 2);
    const { read, events } = localReader(streamName, { endpoint: proxy.url });
    proxy.next("GetShardIterator", error("ResourceNotFoundException"));
    proxy.next("ListShards", withoutFirst);
    const batches = await take(read(shard, HORIZON, new AbortController().signal), () => false);
    expect(batches.map(({ shardEnd }) => shardEnd)).toEqual([{ children: [] }]);
    expect(events).toEqual([{ type: "shardExpired", shardId: FIRST_SHARD }]);
  });

  test("has not ended when the stream lists nothing: it is being made", async () => {
    const streamName = await createStream("creating", 1);
    await put(streamName, ["word"]);
    const { read, events } = localReader(streamName, { endpoint: proxy.url });
    proxy.next("GetShardIterator", error("ResourceNotFoundException"));
    proxy.next("ListShards", { type: "answer", body: '{"Shards":[]}' });
    const batches = await take(read(shard, HORIZON, new AbortController().signal), records(1));
    expect(wordsOf(batches)).toEqual(["word"]);
    expect(events[0]).toMatchObject({ type: "serviceTrouble", operation: "ListShards" });
  });

  test("has not ended when the stream never had one of so high a number: it is another stream", async () => {
    const streamName = await createStream("another", 1);
    const told = await toldReading(pollingOf(streamName), HORIZON, "shardId-000000000077");
    expect(told).toMatchObject({ shardId: "shardId-000000000077" });
    expect(told).toHaveProperty("error.message", expect.stringContaining("checkpoints reset"));
  });

  test("has not ended when it is the stream that is missing", async () => {
    const { read, events } = localReader(uniqueName("missing"), { endpoint: proxy.url });
    const abort = new AbortController();
    const reading = take(read(shard, HORIZON, abort.signal), () => false);
    await until("the second try", () => proxy.count("GetShardIterator") >= 2);
    abort.abort();
    expect(await reading).toEqual([]);
    expect(events).toMatchObject([{ type: "serviceTrouble", error: { name: "UserError" } }]);
    expect(events[0]).not.toHaveProperty("shardId");
  });
});

describe("a place in a shard", () => {
  // AWS refuses with the first of these, emulators with the second.
  test.each([
    ["GetShardIterator", "InvalidArgumentException"],
    ["GetShardIterator", "ResourceNotFoundException"],
    ["SubscribeToShard", "InvalidArgumentException"],
  ])(
    "before its beginning is told with the remedy, and not hurried (%s, %s)",
    async (call, name) => {
      const streamName = await createStream("before", 1);
      const [{ SequenceNumberRange } = {}] = await shardsOf(streamName);
      const beginning = SequenceNumberRange?.StartingSequenceNumber ?? "";
      const before = at(String(BigInt(beginning) - 1n));
      proxy.next(call, error(name), 1_000);
      const subscriptions = { endpoint: proxy.url, http2: false };
      const reader =
        call === "SubscribeToShard" ? fanout(streamName, { subscriptions }) : pollingOf(streamName);
      const told = await toldReading(reader, before);
      expect(told).toMatchObject({ shardId: FIRST_SHARD });
      const { error: said } = told ?? {};
      const range = `${before.sequenceNumber}, but its numbers go from ${beginning}`;
      expect(said).toHaveProperty("message", expect.stringContaining(range));
      expect(said).toHaveProperty("message", expect.stringContaining("checkpoints reset"));
      expect(proxy.count(call)).toBe(1);
    },
  );

  test("that is refused for another reason is told in the service's words", async () => {
    const streamName = await createStream("refused", 1);
    const [word] = await put(streamName, ["word"]);
    proxy.next("GetShardIterator", error("InvalidArgumentException"), 1_000);
    const told = await toldReading(pollingOf(streamName), at(word?.sequenceNumber ?? ""));
    expect(told).toMatchObject({ operation: "GetShardIterator", shardId: FIRST_SHARD });
    const { error: reported } = told ?? {};
    expect(reported).toHaveProperty("message", expect.stringContaining("Kinesis refuses to read"));
    expect(reported).toHaveProperty("message", expect.stringContaining("checkpoints reset"));
  });

  test("whose record retention has deleted is told, with where reading goes on", async () => {
    const streamName = await createStream("trimmed", 1);
    const [first, second, third] = await put(streamName, words("word", 4), "key");
    // As AWS answers when the oldest record left is the third.
    proxy.next("GetShardIterator", { type: "answer", body: await iteratorAt(streamName, third) });
    const { read, events } = localReader(streamName, { endpoint: proxy.url });
    const from = at(first?.sequenceNumber ?? "");
    const batches = await take(read(shard, from, new AbortController().signal), records(2));
    expect(wordsOf(batches)).toEqual(["word 2", "word 3"]);
    const expired = { checkpoint: from, first: at(third?.sequenceNumber ?? "") };
    expect(events).toContainEqual({ type: "recordsExpired", shardId: FIRST_SHARD, ...expired });

    const there = localReader(streamName, { endpoint: proxy.url });
    const later = at(second?.sequenceNumber ?? "");
    await take(there.read(shard, later, new AbortController().signal), records(2));
    expect(there.events.map(({ type }) => type)).toEqual(["fetched"]);
  });
});

async function iteratorAt(StreamName: string, record: PutRecord | undefined): Promise<string> {
  const client = testKinesis();
  const { ShardIterator } = await client.send(
    new GetShardIteratorCommand({
      StreamName,
      ShardId: record?.shardId,
      ShardIteratorType: "AT_SEQUENCE_NUMBER",
      StartingSequenceNumber: record?.sequenceNumber,
    }),
  );
  client.destroy();
  return JSON.stringify({ ShardIterator });
}
