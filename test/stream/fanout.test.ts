// Enhanced fan-out against a real emulator: over HTTP/1.1, which it supports, and through a proxy
// over HTTP/2, which Kinesis requires.

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
  test("yields records in order, first existing and then new ones", async () => {
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

// The emulator continues with empty events after the end of a shard. The proxy sends the last
// event.
test("ends a split shard with its children, after all its records", async () => {
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

test("starts inside an aggregate, after that user record", async () => {
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

test("skips existing records at LATEST", async () => {
  const streamName = await createStream("fanout-latest", 1);
  await put(streamName, ["old"]);
  const { read, events } = fanout(streamName);
  const taken = take(read(shard, LATEST, never()), records(1));
  await until("the subscription", () => events.some(({ type }) => type === "subscribed"));
  await put(streamName, ["new"]);
  expect(wordsOf(await taken)).toEqual(["new"]);
});

describe("a subscription", () => {
  test.each([
    ["that ends, as it does after five minutes, is followed by another without a report", "finish"],
    ["whose connection breaks is followed by another", "cut"],
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
    // Neither from the start of the shard nor from a record that was received before.
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

test("stops the service while the consumer is busy, and loses nothing", async () => {
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

test("waits while another worker is subscribed to the shard", async () => {
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

test("registers a deregistered consumer again, and continues the shard", async () => {
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

describe("when fan-out is refused,", () => {
  test.each([
    ["DescribeStreamConsumer", "AccessDeniedException"],
    ["RegisterStreamConsumer", "LimitExceededException"],
  ])("AUTO polls and reports the reason once: %s returns %s", async (operation, name) => {
    const streamName = await createStream("fanout-auto", 2);
    const sent = await put(streamName, words("word", 8));
    faults.next(operation, { type: "error", name }, 100);
    const { read, events } = fanout(streamName, { endpoint: faults.url, auto: true });
    for (const shardId of new Set(sent.map((record) => record.shardId))) {
      const here = sent.filter((record) => record.shardId === shardId).length;
      const batches = await take(read({ shardId }, HORIZON, never()), records(here));
      expect(wordsOf(batches)).toHaveLength(here);
    }
    const refusals = events.filter(({ type }) => type === "fanoutRefused");
    expect(refusals).toHaveLength(1);
    expect(
      String("error" in (refusals[0] ?? {}) && (refusals[0] as { error: unknown }).error),
    ).toMatch(`kinesis:${operation}`);
    faults.clear();
  });

  test("AUTO polls when only SubscribeToShard is denied", async () => {
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

  test("FANOUT reports the remedy, and continues as soon as it is allowed", async () => {
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

test("uses a consumer with a configured ARN without looking it up", async () => {
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
