// Listing shards and describing streams: pages, filters, retries, and the errors that a user sees.

import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { Event } from "../../src/events.ts";
import { UserError } from "../../src/model/errors.ts";
import { describeStream } from "../../src/stream/calls/describeStream.ts";
import { StreamNotFound } from "../../src/stream/calls/readErrors.ts";
import { listShards } from "../../src/stream/listing/listShards.ts";
import {
  createStream,
  streamActive,
  testKinesis,
  uniqueName,
  until,
} from "../support/emulators.ts";
import { type FaultProxy, startFaultProxy } from "../support/faultProxy.ts";
import { logged } from "../support/logged.ts";
import { FIRST_SHARD, localClient } from "./support.ts";

let proxy: FaultProxy;
let events: Event[];
beforeEach(async () => {
  proxy = await startFaultProxy(inject("kinesisUrl"));
  events = [];
});
afterEach(() => proxy.stop());

const options = (signal = new AbortController().signal) => ({
  client: localClient(proxy.url),
  clock: systemClock,
  emit: (event: Event) => events.push(event),
  signal,
});

test("lists a shard with its hash keys, its parents and its sequence numbers", async () => {
  const streamName = await createStream("list", 1);
  const client = testKinesis();
  const NewStartingHashKey = String(2n ** 127n);
  await client.send(
    new SplitShardCommand({
      StreamName: streamName,
      ShardToSplit: FIRST_SHARD,
      NewStartingHashKey,
    }),
  );
  await streamActive(streamName);
  client.destroy();
  const shards = await listShards(options(), { streamName }, undefined);
  expect(shards).toEqual([
    {
      shardId: FIRST_SHARD,
      parentShardIds: [],
      hashKeyRange: { startingHashKey: "0", endingHashKey: String(2n ** 128n - 1n) },
      startingSequenceNumber: expect.stringMatching(/^\d+$/),
      endingSequenceNumber: expect.stringMatching(/^\d+$/),
    },
    {
      shardId: "shardId-000000000001",
      parentShardIds: [FIRST_SHARD],
      hashKeyRange: { startingHashKey: "0", endingHashKey: String(2n ** 127n - 1n) },
      startingSequenceNumber: expect.stringMatching(/^\d+$/),
    },
    {
      shardId: "shardId-000000000002",
      parentShardIds: [FIRST_SHARD],
      hashKeyRange: { startingHashKey: NewStartingHashKey, endingHashKey: String(2n ** 128n - 1n) },
      startingSequenceNumber: expect.stringMatching(/^\d+$/),
    },
  ]);
  const latest = await listShards(options(), { streamName }, { type: "AT_LATEST" });
  expect(latest.map(({ shardId }) => shardId)).toEqual([
    "shardId-000000000001",
    "shardId-000000000002",
  ]);
  const timestamp = new Date(Date.now() + 0);
  const then = await listShards(options(), { streamName }, { type: "AT_TIMESTAMP", timestamp });
  expect(then.length).toBeGreaterThan(0);
});

test("fetches all pages, the later ones by their token alone", async () => {
  const streamName = await createStream("pages", 5);
  for (const [from, token] of [
    [0, "second"],
    [2, "third"],
    [4, undefined],
  ] as const) {
    proxy.next("ListShards", {
      type: "answer",
      body: JSON.stringify({ Shards: page(from, from + 2), NextToken: token }),
    });
  }
  const shards = await listShards(options(), { streamName }, { type: "AT_TRIM_HORIZON" });
  expect(shards.map(({ shardId }) => shardId)).toEqual(["s0", "s1", "s2", "s3", "s4", "s5"]);
  expect(proxy.calls.map(({ body }) => body)).toEqual([
    { StreamName: streamName, ShardFilter: { Type: "AT_TRIM_HORIZON" } },
    { NextToken: "second" },
    { NextToken: "third" },
  ]);
});

const page = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => ({
    ShardId: `s${from + index}`,
    HashKeyRange: { StartingHashKey: "0", EndingHashKey: "1" },
    SequenceNumberRange: { StartingSequenceNumber: "1" },
  }));

describe("retries after", () => {
  test.each([
    ["LimitExceededException", 400],
    ["ResourceInUseException", 400],
    ["InternalFailure", 500],
  ])("%s", async (name, status) => {
    const streamName = await createStream("patience", 2);
    proxy.next("ListShards", { type: "error", name, status }, 2);
    expect(await listShards(options(), { streamName }, undefined)).toHaveLength(2);
    expect(logged(events).map(({ type }) => type)).toEqual(["serviceTrouble", "serviceRecovered"]);
  });

  test("a broken connection", async () => {
    const streamName = await createStream("patience", 2);
    proxy.next("ListShards", { type: "cut" }, 2);
    expect(await listShards(options(), { streamName }, undefined)).toHaveLength(2);
  });
});

describe("fails at once after", () => {
  test("a missing stream, and says how to create it", async () => {
    const streamName = uniqueName("missing");
    const failing = listShards(options(), { streamName }, undefined);
    await expect(failing).rejects.toBeInstanceOf(StreamNotFound);
    await expect(failing).rejects.toThrow(
      `aws kinesis create-stream --stream-name ${streamName} --shard-count 1`,
    );
    await expect(failing).rejects.toThrow(`kinesis-multilang put --stream ${streamName} --create`);
    await expect(describeStream(options(), { streamName })).rejects.toBeInstanceOf(StreamNotFound);
  });

  test.each(["AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException"])(
    "%s",
    async (name) => {
      proxy.next("ListShards", { type: "error", name });
      const failing = listShards(options(), { streamName: "any" }, undefined);
      await expect(failing).rejects.toBeInstanceOf(UserError);
      await expect(failing).rejects.toThrow(`kinesis:ListShards`);
      await expect(failing).rejects.toHaveProperty("cause.name", name);
    },
  );
});

test("retries a call that is denied if the client was accepted before", async () => {
  const streamName = await createStream("rotation", 1);
  const asking = options();
  await listShards(asking, { streamName }, undefined);
  proxy.next("ListShards", { type: "error", name: "ExpiredTokenException" }, 2);
  expect(await listShards(asking, { streamName }, undefined)).toHaveLength(1);
  expect(logged(events).map(({ type }) => type)).toEqual(["serviceTrouble", "serviceRecovered"]);
});

test("corrects a wrong clock by the service's", async () => {
  const streamName = await createStream("clock", 1);
  const date = new Date(Date.now() + 3_600_000).toUTCString();
  proxy.next("ListShards", { type: "error", name: "InvalidSignatureException", date });
  expect(await listShards(options(), { streamName }, undefined)).toHaveLength(1);
});

test("stops retrying when the signal is aborted", async () => {
  const abort = new AbortController();
  proxy.next("ListShards", { type: "error", name: "InternalFailure", status: 500 }, 1_000);
  const failing = listShards(options(abort.signal), { streamName: "any" }, undefined);
  const outcome = expect(failing).rejects.toThrow("enough");
  await until("the second try", () => proxy.count("ListShards") >= 2);
  abort.abort(new Error("enough"));
  await outcome;
});

test("describes a stream", async () => {
  const streamName = await createStream("described", 3);
  expect(await describeStream(options(), { streamName })).toEqual({
    streamName,
    streamARN: `arn:aws:kinesis:us-east-1:000000000000:stream/${streamName}`,
    status: "ACTIVE",
    openShards: 3,
    retentionHours: 24,
    createdMs: expect.any(Number),
  });
});

test("accepts the ARN of a stream", async () => {
  const streamName = await createStream("arn", 2);
  const { streamARN } = await describeStream(options(), { streamName });
  expect(await listShards(options(), { streamARN }, undefined)).toHaveLength(2);
  expect((await describeStream(options(), { streamARN })).streamName).toBe(streamName);
});
