// Reading while calls fail: no record is lost or repeated, and each series of failures is reported
// once.

import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import type { Event } from "../../src/events.ts";
import type { Batch } from "../../src/model/batch.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { type Fault, type FaultProxy, startFaultProxy } from "../support/faultProxy.ts";
import { logged } from "../support/logged.ts";
import {
  FIRST_SHARD,
  gate,
  HORIZON,
  LATEST,
  localReader,
  records,
  take,
  words,
  wordsOf,
} from "./support.ts";

const shard = { shardId: FIRST_SHARD };
const error = (name: string, status = 400): Fault => ({ type: "error", name, status });

let proxy: FaultProxy;
beforeEach(async () => {
  proxy = await startFaultProxy(inject("kinesisUrl"));
});
afterEach(() => proxy.stop());

/** Reads four records in batches of two; a fault precedes the second batch. */
async function readThrough(
  operation: string,
  fault: Fault,
  times = 1,
): Promise<{ batches: Batch[]; events: Event[] }> {
  const streamName = await createStream("trouble", 1);
  await put(streamName, words("word", 4));
  const { read, events } = localReader(streamName, { endpoint: proxy.url, maxRecords: 2 });
  if (operation === "GetShardIterator") proxy.next(operation, fault, times);
  else {
    proxy.next(operation, { type: "delay", until: Promise.resolve() });
    proxy.next(operation, fault, times);
  }
  const batches = await take(read(shard, HORIZON, new AbortController().signal), records(4));
  return { batches, events };
}

const reported = (events: readonly Event[]) =>
  logged(events).flatMap((event) => (event.type === "fetched" ? [] : [event.type]));

describe("yields every record once although", () => {
  test.each<[string, string, Fault, number, Event["type"][]]>([
    [
      "the iterator expired",
      "GetRecords",
      error("ExpiredIteratorException"),
      1,
      ["iteratorExpired"],
    ],
    [
      "the iterator is refused",
      "GetRecords",
      error("InvalidArgumentException"),
      1,
      ["iteratorExpired"],
    ],
    [
      "the shard is throttled",
      "GetRecords",
      error("ProvisionedThroughputExceededException"),
      2,
      ["serviceTrouble", "serviceRecovered"],
    ],
    [
      "the service fails",
      "GetRecords",
      error("InternalFailure", 500),
      2,
      ["serviceTrouble", "serviceRecovered"],
    ],
    [
      "the credentials expired",
      "GetRecords",
      error("ExpiredTokenException"),
      1,
      ["serviceTrouble", "serviceRecovered"],
    ],
    [
      "GetShardIterator fails at first",
      "GetShardIterator",
      error("InternalFailure", 500),
      2,
      ["serviceTrouble", "serviceRecovered"],
    ],
    ["a kept connection was closed", "GetRecords", { type: "cut" }, 1, []],
    ["connections break", "GetRecords", { type: "cut" }, 2, ["serviceTrouble", "serviceRecovered"]],
    ["a response is lost", "GetRecords", { type: "cutAfter" }, 1, []],
    ["a response is truncated", "GetRecords", { type: "truncate", bytes: 60 }, 1, []],
    [
      "a response is not JSON",
      "GetRecords",
      { type: "corrupt", edit: () => "<html>" },
      1,
      ["serviceTrouble", "serviceRecovered"],
    ],
    [
      "a response has neither an iterator nor children",
      "GetRecords",
      { type: "corrupt", edit: (body) => edited(body, { NextShardIterator: null }) },
      1,
      ["serviceTrouble", "serviceRecovered"],
    ],
    [
      "a response has both",
      "GetRecords",
      { type: "corrupt", edit: (body) => edited(body, { ChildShards: [child(FIRST_SHARD)] }) },
      1,
      ["serviceTrouble", "serviceRecovered"],
    ],
    [
      "a response has children without parents",
      "GetRecords",
      {
        type: "corrupt",
        edit: (body) => edited(body, { NextShardIterator: null, ChildShards: [child()] }),
      },
      1,
      ["serviceTrouble", "serviceRecovered"],
    ],
    [
      "the service does not find a shard that it lists",
      "GetRecords",
      error("ResourceNotFoundException"),
      1,
      ["serviceTrouble", "serviceRecovered"],
    ],
  ])("%s", async (_, operation, fault, times, expected) => {
    const { batches, events } = await readThrough(operation, fault, times);
    expect(wordsOf(batches)).toEqual(words("word", 4));
    expect(reported(events)).toEqual(expected);
    expect(batches.filter(({ shardEnd }) => shardEnd)).toEqual([]);
  });
});

const edited = (body: string, change: object) => JSON.stringify({ ...JSON.parse(body), ...change });
const child = (...ParentShards: string[]) => ({
  ShardId: "shardId-000000000009",
  ParentShards,
  HashKeyRange: { StartingHashKey: "0", EndingHashKey: "1" },
});

test("repeats a call that exceeds its time limit", async () => {
  const streamName = await createStream("slow", 1);
  await put(streamName, words("word", 3));
  const stuck = gate();
  proxy.next("GetRecords", { type: "delay", until: stuck.opened });
  const { read, events } = localReader(streamName, { endpoint: proxy.url, requestTimeoutMs: 300 });
  const batches = await take(read(shard, HORIZON, new AbortController().signal), records(3));
  stuck.open();
  expect(wordsOf(batches)).toEqual(words("word", 3));
  expect(reported(events)).toEqual(["serviceTrouble", "serviceRecovered"]);
});

test("ends a call in flight when the signal is aborted", async () => {
  const streamName = await createStream("stuck", 1);
  const stuck = gate();
  proxy.next("GetRecords", { type: "delay", until: stuck.opened });
  const { read } = localReader(streamName, { endpoint: proxy.url });
  const abort = new AbortController();
  const reading = take(read(shard, HORIZON, abort.signal), () => false);
  await until("the call to be under way", () => proxy.count("GetRecords") === 1);
  abort.abort();
  expect(await reading).toEqual([]);
  stuck.open();
});

test("does not fetch batches in the queue again after an expired iterator", async () => {
  const streamName = await createStream("expired", 1);
  await put(streamName, words("word", 4));
  const { read, events } = localReader(streamName, { endpoint: proxy.url, maxRecords: 1 });
  proxy.next("GetRecords", { type: "delay", until: Promise.resolve() }, 2);
  proxy.next("GetRecords", error("ExpiredIteratorException"));
  const batches = read(shard, HORIZON, new AbortController().signal)[Symbol.asyncIterator]();
  const first = batches.next();
  await until("all to be fetched", () => events.filter((e) => e.type === "fetched").length === 4);
  const taken: Batch[] = [(await first).value];
  while (wordsOf(taken).length < 4) taken.push((await batches.next()).value);
  expect(wordsOf(taken)).toEqual(words("word", 4));
  await batches.return?.();
});

test("loses nothing when the iterator of LATEST expires before the first record", async () => {
  const streamName = await createStream("latest-expired", 1);
  await put(streamName, words("old", 2));
  const held = gate();
  const { read } = localReader(streamName, { endpoint: proxy.url });
  const reading = take(read(shard, LATEST, new AbortController().signal), (batches) => {
    if (batches.length === 1) held.open();
    return wordsOf(batches).includes("new 1");
  });
  await held.opened;
  // The old iterator would find these records, but the proxy refuses it.
  proxy.next("GetRecords", error("ExpiredIteratorException"), 1);
  await until("the iterator to be refused", () => proxy.count("GetShardIterator") === 2);
  expect(
    proxy.calls.filter((call) => call.operation === "GetShardIterator")[1]?.body,
  ).toMatchObject({
    ShardIteratorType: "AT_TIMESTAMP",
  });
  await put(streamName, words("new", 2));
  expect(wordsOf(await reading).slice(-2)).toEqual(words("new", 2));
});

test("accepts an end without children if the listing has them", async () => {
  const streamName = await createStream("childless", 1);
  await put(streamName, ["word"]);
  proxy.next("GetRecords", {
    type: "corrupt",
    edit: (body) => edited(body, { NextShardIterator: null }),
  });
  proxy.next("ListShards", {
    type: "corrupt",
    edit: (body) => {
      const { Shards } = JSON.parse(body);
      const [parent] = Shards;
      parent.SequenceNumberRange.EndingSequenceNumber = "9";
      const heir = { ...parent, ShardId: "shardId-000000000001", ParentShardId: FIRST_SHARD };
      return JSON.stringify({ Shards: [parent, heir] });
    },
  });
  const { read } = localReader(streamName, { endpoint: proxy.url });
  const batches = await take(read(shard, HORIZON, new AbortController().signal), () => false);
  expect(wordsOf(batches)).toEqual(["word"]);
  expect(batches.at(-1)?.shardEnd?.children).toMatchObject([{ shardId: "shardId-000000000001" }]);
});

test("reports an unreachable service once for all shards, and its recovery once", async () => {
  const streamName = await createStream("unreachable", 3);
  await put(streamName, words("word", 30));
  proxy.next("*", { type: "cut" }, 12);
  const { read, events } = localReader(streamName, { endpoint: proxy.url });
  const abort = new AbortController();
  let came = 0;
  await Promise.all(
    [0, 1, 2].map(async (index) => {
      const each = { shardId: `shardId-00000000000${index}` };
      for await (const { records } of read(each, HORIZON, abort.signal)) {
        came += records.count;
        if (came === 30) abort.abort();
      }
    }),
  );
  expect(reported(events)).toEqual(["serviceTrouble", "serviceRecovered"]);
});

test("slows down only the shard that is throttled", async () => {
  const streamName = await createStream("throttled", 2);
  const { read } = localReader(streamName, { endpoint: proxy.url });
  const abort = new AbortController();
  const first = gate();
  const calm = take(read({ shardId: "shardId-000000000001" }, HORIZON, abort.signal), () => {
    first.open();
    return false;
  });
  await first.opened;
  const before = proxy.count("GetRecords");
  proxy.next("GetShardIterator", error("ProvisionedThroughputExceededException"), 1_000);
  const throttled = take(
    read({ shardId: "shardId-000000000000" }, HORIZON, abort.signal),
    () => false,
  );
  await until("the other shard to be read on", () => proxy.count("GetRecords") >= before + 3);
  const tries = proxy.count("GetShardIterator");
  expect(tries).toBeLessThan(12);
  abort.abort();
  await Promise.all([calm, throttled]);
});
