// Enhanced fan-out against a real emulator: over HTTP/1.1 as it speaks itself, and over HTTP/2 as the service insists.

import {
  DeregisterStreamConsumerCommand,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Position, parsePosition } from "../../src/model/position.ts";
import { aggregate } from "../records/kpl.ts";
import {
  createStream,
  put,
  shardsOf,
  streamActive,
  testKinesis,
  until,
} from "../support/emulators.ts";
import { subscriptionEvent } from "../support/eventStream.ts";
import { type FaultProxy, startFaultProxy } from "../support/faultProxy.ts";
import { type Http2Proxy, startHttp2Proxy } from "../support/http2Proxy.ts";
import { fanout } from "./fanoutSupport.ts";
import {
  FIRST_SHARD,
  HORIZON,
  LATEST,
  records,
  recordsOf,
  take,
  words,
  wordsOf,
} from "./support.ts";

const shard = { shardId: FIRST_SHARD };
const never = () => new AbortController().signal;

function at(sequenceNumber: string | undefined, subSequenceNumber = 0): Position {
  const position = parsePosition(sequenceNumber ?? "", subSequenceNumber);
  if (!position) throw new Error(`no position: ${sequenceNumber}`);
  return position;
}

let proxy: Http2Proxy;
let faults: FaultProxy;

beforeAll(async () => {
  proxy = await startHttp2Proxy(inject("kinesisUrl"));
  faults = await startFaultProxy(inject("kinesisUrl"));
});

afterAll(async () => {
  await proxy.stop();
  await faults.stop();
});

const http2 = () => ({ subscriptions: { endpoint: proxy.url, http2: true } });

describe.each([
  ["HTTP/1.1", () => ({})],
  ["HTTP/2", http2],
])("over %s", (_, options) => {
  test("records come in order, first those that are there and then new ones", async () => {
    const streamName = await createStream("fanout", 1);
    await put(streamName, words("old", 20), "key");
    const { read, events } = fanout(streamName, options());
    const batches = read(shard, HORIZON, never());
    const iterator = batches[Symbol.asyncIterator]();
    const first = await iterator.next();
    expect(wordsOf(first.done ? [] : [first.value])).toEqual(words("old", 20));
    await put(streamName, words("new", 5), "key");
    const rest = await take({ [Symbol.asyncIterator]: () => iterator }, records(5));
    expect(wordsOf(rest)).toEqual(words("new", 5));
    expect(events).toContainEqual(
      expect.objectContaining({ type: "fanoutConsumerFound", registered: true }),
    );
    expect(events.filter(({ type }) => type === "serviceTrouble")).toEqual([]);
  });
});

// The emulator goes on with empty events when a shard has ended: what the service says then is said for it.
test("a shard that was split ends with its children, after all its records", async () => {
  const own = await startHttp2Proxy(inject("kinesisUrl"));
  const streamName = await createStream("fanout-split", 1);
  await put(streamName, words("word", 3), "key");
  const client = testKinesis();
  const half = String(2n ** 127n);
  const split = { StreamName: streamName, ShardToSplit: FIRST_SHARD, NewStartingHashKey: half };
  await client.send(new SplitShardCommand(split));
  client.destroy();
  await streamActive(streamName);
  const { read } = fanout(streamName, { subscriptions: { endpoint: own.url, http2: true } });
  const iterator = read(shard, HORIZON, never())[Symbol.asyncIterator]();
  const first = await iterator.next();
  const [, ...children] = await shardsOf(streamName);
  const ChildShards = children.map(({ ShardId, HashKeyRange }) => ({
    ShardId,
    ParentShards: [FIRST_SHARD],
    HashKeyRange,
  }));
  own.say(subscriptionEvent({ Records: [], MillisBehindLatest: 0, ChildShards }));
  own.finish();
  const rest = await take({ [Symbol.asyncIterator]: () => iterator }, () => false);
  const batches = first.done ? rest : [first.value, ...rest];
  expect(wordsOf(batches)).toEqual(words("word", 3));
  expect(batches.at(-1)?.shardEnd?.children.map(({ shardId }) => shardId)).toEqual(
    children.map(({ ShardId }) => ShardId),
  );
  await own.stop();
});

test("a start inside an aggregate begins behind that record of it", async () => {
  const streamName = await createStream("fanout-inside", 1);
  const client = testKinesis();
  const { PutRecordCommand } = await import("@aws-sdk/client-kinesis");
  const Data = aggregate(
    ["a", "b", "c"].map((data) => ({ partitionKey: "key", data: Buffer.from(data) })),
  );
  const { SequenceNumber } = await client.send(
    new PutRecordCommand({ StreamName: streamName, PartitionKey: "key", Data }),
  );
  client.destroy();
  const { read } = fanout(streamName);
  const batches = await take(read(shard, at(SequenceNumber, 0), never()), records(2));
  expect(wordsOf(batches)).toEqual(["b", "c"]);
});

test("LATEST leaves out what was there before", async () => {
  const streamName = await createStream("fanout-latest", 1);
  await put(streamName, ["old"]);
  const { read, events } = fanout(streamName);
  const taken = take(read(shard, LATEST, never()), records(1));
  await until("the subscription", () => events.some(({ type }) => type === "subscribed"));
  await put(streamName, ["new"]);
  expect(wordsOf(await taken)).toEqual(["new"]);
});

describe("a subscription that ends", () => {
  test.each([
    ["as it does after five minutes is followed by another, without a word", "finish"],
    ["with its connection is followed by another", "cut"],
  ] as const)("%s", async (_, how) => {
    const own = await startHttp2Proxy(inject("kinesisUrl"));
    const streamName = await createStream(`fanout-${how}`, 1);
    const sent = await put(streamName, words("word", 3), "key");
    const { read, events } = fanout(streamName, {
      subscriptions: { endpoint: own.url, http2: true },
    });
    const iterator = read(shard, HORIZON, never())[Symbol.asyncIterator]();
    const first = await iterator.next();
    own[how]();
    await put(streamName, words("later", 2), "key");
    const rest = await take({ [Symbol.asyncIterator]: () => iterator }, records(2));
    expect(wordsOf([first.value, ...rest].filter(Boolean))).toEqual([
      ...words("word", 3),
      ...words("later", 2),
    ]);
    // Not from the start of the shard again, and not from a record that had come.
    expect(own.subscriptions.at(-1)).toMatchObject({
      StartingPosition: {
        Type: "AFTER_SEQUENCE_NUMBER",
        SequenceNumber: sent.at(-1)?.sequenceNumber,
      },
    });
    const troubles = events.filter(({ type }) => type === "serviceTrouble");
    if (how === "finish") expect(troubles).toEqual([]);
    await own.stop();
  });
});

test("while the caller is busy the service has to wait; nothing is left out", async () => {
  const own = await startHttp2Proxy(inject("kinesisUrl"));
  const streamName = await createStream("fanout-slow", 1);
  const { read, events } = fanout(streamName, {
    subscriptions: { endpoint: own.url, http2: true },
  });
  const iterator = read(shard, HORIZON, never())[Symbol.asyncIterator]();
  const first = iterator.next();
  await until("the subscription", () => events.some(({ type }) => type === "subscribed"));
  const large = Buffer.alloc(500_000, "x").toString("base64");
  const sent = words("", 40).map((_, index) => String(10n ** 55n + BigInt(index)));
  for (const SequenceNumber of sent) {
    const record = { SequenceNumber, Data: large, PartitionKey: "key" };
    const Records = [{ ...record, ApproximateArrivalTimestamp: 1.5 }];
    const news = { ContinuationSequenceNumber: SequenceNumber, MillisBehindLatest: 9 };
    own.say(subscriptionEvent({ Records, ...news }));
  }
  const { value } = await first;
  const had = value ? [value] : [];
  const fetched = () => events.filter(({ type }) => type === "fetched").length;
  await until("as much to be read ahead as may be", () => fetched() >= 4);
  expect(fetched()).toBeLessThan(10);
  expect(own.waiting()).toBeGreaterThan(20 * large.length);
  const left = 40 - recordsOf(had).length;
  const rest = await take({ [Symbol.asyncIterator]: () => iterator }, records(left));
  expect(recordsOf([...had, ...rest]).map(({ sequenceNumber }) => sequenceNumber)).toEqual(sent);
  await own.stop();
});

test("a shard that a peer still subscribes to is waited for", async () => {
  const streamName = await createStream("fanout-in-use", 1);
  await put(streamName, ["word"]);
  const peer = fanout(streamName);
  const held = peer.read(shard, HORIZON, never())[Symbol.asyncIterator]();
  await held.next();
  const { read, events } = fanout(streamName);
  const taken = take(read(shard, HORIZON, never()), records(1));
  await until("the first refusal to be waited out", () =>
    events.some(({ type }) => type === "subscribed"),
  );
  await held.return?.();
  expect(wordsOf(await taken)).toEqual(["word"]);
});

test("a consumer that somebody deregisters is registered again; the shard goes on", async () => {
  const own = await startHttp2Proxy(inject("kinesisUrl"));
  const streamName = await createStream("fanout-deregistered", 1);
  await put(streamName, ["one"]);
  const { read, events } = fanout(streamName, {
    subscriptions: { endpoint: own.url, http2: true },
  });
  const iterator = read(shard, HORIZON, never())[Symbol.asyncIterator]();
  const first = await iterator.next();
  const client = testKinesis();
  const { StreamDescriptionSummary } = await client.send(
    new DescribeStreamSummaryCommand({ StreamName: streamName }),
  );
  const name = { StreamARN: StreamDescriptionSummary?.StreamARN, ConsumerName: streamName };
  await client.send(new DeregisterStreamConsumerCommand(name));
  await until("the consumer to be gone", () =>
    client.send(new DescribeStreamConsumerCommand(name)).then(
      () => false,
      () => true,
    ),
  );
  client.destroy();
  own.finish();
  await put(streamName, ["two"]);
  const rest = await take({ [Symbol.asyncIterator]: () => iterator }, records(1));
  expect(wordsOf([first.value, ...rest].filter(Boolean))).toEqual(["one", "two"]);
  expect(events.filter(({ type }) => type === "fanoutConsumerFound")).toHaveLength(2);
  await own.stop();
});

describe("where fan-out is refused", () => {
  test.each([
    ["DescribeStreamConsumer", "AccessDeniedException"],
    ["RegisterStreamConsumer", "LimitExceededException"],
  ])("AUTO polls, and says once why: %s answers %s", async (operation, name) => {
    const streamName = await createStream("fanout-auto", 2);
    const sent = await put(streamName, words("word", 8));
    faults.next(operation, { type: "error", name }, 100);
    const { read, events } = fanout(streamName, { endpoint: faults.url, auto: true });
    for (const shardId of new Set(sent.map((record) => record.shardId))) {
      const here = sent.filter((record) => record.shardId === shardId).length;
      const batches = await take(read({ shardId }, HORIZON, never()), records(here));
      expect(wordsOf(batches)).toHaveLength(here);
    }
    const told = events.filter(({ type }) => type === "fanoutRefused");
    expect(told).toHaveLength(1);
    expect(String("error" in (told[0] ?? {}) && (told[0] as { error: unknown }).error)).toMatch(
      `kinesis:${operation}`,
    );
    faults.clear();
  });

  test("AUTO polls when subscribing alone is denied", async () => {
    const streamName = await createStream("fanout-denied", 1);
    await put(streamName, ["word"]);
    faults.next("SubscribeToShard", { type: "error", name: "AccessDeniedException" }, 100);
    const { read, events } = fanout(streamName, {
      subscriptions: { endpoint: faults.url, http2: false },
      auto: true,
    });
    expect(wordsOf(await take(read(shard, HORIZON, never()), records(1)))).toEqual(["word"]);
    expect(events.map(({ type }) => type)).toContain("fanoutRefused");
    faults.clear();
  });

  test("FANOUT says what to do, and reads on once it is allowed", async () => {
    const streamName = await createStream("fanout-later", 1);
    await put(streamName, ["word"]);
    faults.next("SubscribeToShard", { type: "error", name: "AccessDeniedException" }, 1);
    const client = { subscriptions: { endpoint: inject("kinesisUrl"), http2: false } };
    faults.next("DescribeStreamConsumer", { type: "error", name: "AccessDeniedException" }, 1);
    const { read, events } = fanout(streamName, { ...client, endpoint: faults.url });
    expect(wordsOf(await take(read(shard, HORIZON, never()), records(1)))).toEqual(["word"]);
    const [trouble] = events.filter(({ type }) => type === "serviceTrouble");
    expect(trouble).toMatchObject({ error: { name: "FanoutUnavailable" } });
    expect(String(trouble && "error" in trouble && trouble.error)).toMatch(
      /kinesis:DescribeStreamConsumer.*retrievalMode = POLLING/,
    );
    faults.clear();
  });
});

test("a consumer named by its ARN is used as it is", async () => {
  const streamName = await createStream("fanout-arn", 1);
  await put(streamName, ["word"]);
  const first = fanout(streamName);
  await take(first.read(shard, HORIZON, never()), records(1));
  const found = first.events.find(({ type }) => type === "fanoutConsumerFound");
  const arn = found && "arn" in found ? found.arn : "";
  faults.next("*", { type: "error", name: "AccessDeniedException" }, 100);
  const second = fanout(streamName, { endpoint: faults.url, settings: { consumerArn: arn } });
  expect(wordsOf(await take(second.read(shard, HORIZON, never()), records(1)))).toEqual(["word"]);
  faults.clear();
});
