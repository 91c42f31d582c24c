// A new application whose listing of the shards is refused, comes in pages, or contradicts itself:
// it starts in the end, with all shards, loses nothing, and the log names the operation.

import { ListShardsCommand, type Shard, SplitShardCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { startDaemon } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  streamActive,
  testKinesis,
  until,
} from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { Journal } from "../support/journal.ts";
import { SHARDS } from "../support/mischief.ts";

const words = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${name} ${index}`);

async function application(shards: number) {
  const stream = await createStream("listed", shards);
  const journal = await Journal.create();
  const proxy = await startFaultProxy(inject("kinesisUrl"));
  onTestFinished(() => proxy.stop());
  return {
    stream,
    proxy,
    start: (properties: Readonly<Record<string, string | boolean>> = {}) =>
      startDaemon({
        properties: {
          executableName: journal.command(),
          applicationName: stream,
          streamName: stream,
          kinesisEndpoint: proxy.url,
          ...properties,
        },
        env: journal.env,
      }),
    async heard(expected: readonly string[]): Promise<void> {
      await until("every word", async () => (await journal.words()).length >= expected.length);
      expect((await journal.words()).toSorted()).toEqual([...expected].toSorted());
    },
  };
}

async function listed(StreamName: string): Promise<readonly Shard[]> {
  const client = testKinesis();
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName }));
  client.destroy();
  return Shards;
}

/** What the service answers when the rest is on further pages. */
const page = (Shards: readonly Shard[], NextToken?: string) =>
  ({ type: "answer", body: JSON.stringify({ Shards, NextToken }) }) as const;

it("a listing that is refused is requested again until it succeeds, and the log names the call", async () => {
  const { stream, proxy, start, heard } = await application(3);
  await put(stream, words("word", 30));
  proxy.next("ListShards", { type: "error", name: "LimitExceededException" }, 2);
  proxy.next("ListShards", { type: "cut" });
  proxy.next("ListShards", { type: "error", name: "InternalFailure", status: 500 });
  const daemon = await start();
  const told = await daemon.waitFor("serviceTrouble");
  expect(told.message).toMatch(/^kinesis ListShards failed \(1 in a row.*LimitExceeded/);
  const { message } = await daemon.waitFor("serviceRecovered");
  expect(message).toBe("kinesis ListShards works again after 4 failures.");
  await heard(words("word", 30));
  expect((await leaseItems(stream)).size).toBe(3);
  expect(await daemon.stop()).toBe(0);
});

it("a listing in pages is read to the last page, and from the first again when a page is refused", async () => {
  const { stream, proxy, start, heard } = await application(4);
  await put(stream, words("word", 40));
  const shards = await listed(stream);
  proxy.next("ListShards", page(shards.slice(0, 2), "second"));
  proxy.next("ListShards", { type: "error", name: "LimitExceededException" });
  proxy.next("ListShards", page(shards.slice(0, 1), "third"));
  proxy.next("ListShards", page([], "fourth"));
  proxy.next("ListShards", page(shards.slice(1)));
  const daemon = await start();
  await heard(words("word", 40));
  expect((await leaseItems(stream)).size).toBe(4);
  const asked = proxy.calls.filter(({ operation }) => operation === "ListShards");
  const first = expect.objectContaining({ StreamName: stream });
  expect(asked.slice(0, 5).map(({ body }) => body)).toEqual([
    first,
    { NextToken: "second" },
    first,
    { NextToken: "third" },
    { NextToken: "fourth" },
  ]);
  expect(daemon.events.filter(({ event }) => event === "leaseLost")).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});

describe("a listing that shows children of a shard that is still open", () => {
  const all = [...words("old", 10), ...words("new", 20)];

  /** The shard was split, but the listing does not show the end of the parent yet. */
  async function halfSplit() {
    const app = await application(1);
    const { stream } = app;
    await put(stream, words("old", 10));
    const client = testKinesis();
    const NewStartingHashKey = String(2n ** 127n);
    await client.send(
      new SplitShardCommand({
        StreamName: stream,
        ShardToSplit: SHARDS[0],
        NewStartingHashKey,
      }),
    );
    client.destroy();
    await streamActive(stream);
    await put(stream, words("new", 20));
    const [parent, ...children] = await listed(stream);
    const open = { StartingSequenceNumber: parent?.SequenceNumberRange?.StartingSequenceNumber };
    const shards = [{ ...parent, SequenceNumberRange: open } as Shard, ...children];
    return { ...app, contradiction: page(shards) };
  }

  it("is requested again until it is consistent, and no lease is created from it", async () => {
    const { stream, proxy, start, heard, contradiction } = await halfSplit();
    // The first answer is taken before the lease table is made, and only shows that the stream
    // exists.
    proxy.next("ListShards", contradiction, 5);
    const daemon = await start();
    const told = await daemon.waitFor("serviceTrouble");
    expect(told.message).toMatch(/^kinesis ListShards failed .*under parents that are still open/);
    const recovered = await daemon.waitFor("serviceRecovered");
    expect(recovered.message).toBe("kinesis ListShards works again after 4 failures.");
    await heard(all);
    const names = daemon.events.map(({ event }) => event);
    expect(names.indexOf("leaseCreated")).toBeGreaterThan(names.indexOf("serviceRecovered"));
    expect((await leaseItems(stream)).size).toBe(3);
    expect(await daemon.stop()).toBe(0);
  });

  it("is used when ignoreUnexpectedChildShards is set: the children begin when their parent ends, at their first record", async () => {
    const { stream, proxy, start, heard, contradiction } = await halfSplit();
    // The first answer only shows that the stream exists; leases are made from the second.
    proxy.next("ListShards", contradiction, 2);
    const initialPositionInStream = "LATEST";
    const daemon = await start({ initialPositionInStream, ignoreUnexpectedChildShards: true });
    // At LATEST, all that was put into the parent is passed over.
    await heard(words("new", 20));
    const created = daemon.events.filter(({ event }) => event === "leaseCreated");
    expect(created.map(({ shardId }) => shardId)).toEqual([...SHARDS, "shardId-000000000002"]);
    expect((await leaseItems(stream)).size).toBe(3);
    expect(daemon.events.filter(({ event }) => event === "serviceTrouble")).toEqual([]);
    expect(await daemon.stop()).toBe(0);
  });
});
