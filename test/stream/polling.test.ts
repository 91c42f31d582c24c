// Polling a real emulator: order, starting positions, splits and merges, the end of a shard.

import { MergeShardsCommand, PutRecordCommand, SplitShardCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, test } from "vitest";
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

const never = () => new AbortController().signal;
const shard = { shardId: FIRST_SHARD };

function at(sequenceNumber: string | undefined, subSequenceNumber = 0): Position {
  const position = parsePosition(sequenceNumber ?? "", subSequenceNumber);
  if (!position) throw new Error(`no position: ${sequenceNumber}`);
  return position;
}

test("yields all records in order, over several batches", async () => {
  const streamName = await createStream("polling", 1);
  const sent = words("word", 25);
  await put(streamName, sent);
  const { read, events } = localReader(streamName, { maxRecords: 10 });
  const batches = await take(read(shard, HORIZON, never()), records(25));
  expect(wordsOf(batches)).toEqual(sent);
  expect(batches.every(({ records }) => records.count <= 10)).toBe(true);
  expect(events.filter(({ type }) => type !== "fetched")).toEqual([]);
});

describe("a reader that starts", () => {
  test("at a sequence number yields the records after it", async () => {
    const streamName = await createStream("resume", 1);
    const sent = await put(streamName, words("word", 5));
    const { read } = localReader(streamName);
    const batches = await take(read(shard, at(sent[2]?.sequenceNumber), never()), records(2));
    expect(wordsOf(batches)).toEqual(["word 3", "word 4"]);
  });

  test("inside an aggregate yields the records after that user record", async () => {
    const streamName = await createStream("inside", 1);
    const client = testKinesis();
    const Data = aggregate(
      ["a", "b", "c", "d"].map((data) => ({ partitionKey: "key", data: Buffer.from(data) })),
    );
    const StreamName = streamName;
    const sent = await client.send(
      new PutRecordCommand({ StreamName, Data, PartitionKey: "outer" }),
    );
    await put(streamName, ["after"]);
    const { read } = localReader(streamName);
    const batches = await take(read(shard, at(sent.SequenceNumber, 1), never()), records(3));
    expect(wordsOf(batches)).toEqual(["c", "d", "after"]);
    client.destroy();
  });

  test("at the last record waits for the next one", async () => {
    const streamName = await createStream("last", 1);
    const sent = await put(streamName, words("old", 3));
    const { read } = localReader(streamName);
    const reading = take(read(shard, at(sent[2]?.sequenceNumber), never()), records(1));
    await put(streamName, ["new"]);
    expect(wordsOf(await reading)).toEqual(["new"]);
  });

  test("at LATEST skips existing records", async () => {
    const streamName = await createStream("latest", 1);
    await put(streamName, words("old", 3));
    const { read } = localReader(streamName);
    const first = gate();
    const reading = take(read(shard, LATEST, never()), (batches) => {
      first.open();
      return records(1)(batches);
    });
    await first.opened;
    await put(streamName, ["new"]);
    expect(wordsOf(await reading)).toEqual(["new"]);
  });

  test("at a timestamp uses the configured one", async () => {
    const streamName = await createStream("timestamp", 1);
    await put(streamName, words("word", 3));
    const position: Position = { sequenceNumber: "AT_TIMESTAMP", subSequenceNumber: 0 };
    const initialPosition = { type: "AT_TIMESTAMP", timestamp: new Date(0) } as const;
    const { read } = localReader(streamName, { initialPosition });
    expect(wordsOf(await take(read(shard, position, never()), records(3)))).toHaveLength(3);
  });
});

describe("a shard's end", () => {
  test("follows its last record, with the children of a split", async () => {
    const streamName = await createStream("split", 1);
    await put(streamName, words("word", 3));
    const client = testKinesis();
    await client.send(
      new SplitShardCommand({
        StreamName: streamName,
        ShardToSplit: FIRST_SHARD,
        NewStartingHashKey: String(2n ** 127n),
      }),
    );
    await streamActive(streamName);
    const { read } = localReader(streamName);
    const batches = await take(read(shard, HORIZON, never()), () => false);
    expect(wordsOf(batches)).toEqual(words("word", 3));
    expect(batches.slice(0, -1).filter(({ shardEnd }) => shardEnd)).toEqual([]);
    expect(batches.at(-1)?.shardEnd?.children).toEqual([
      {
        shardId: "shardId-000000000001",
        parentShardIds: [FIRST_SHARD],
        hashKeyRange: { startingHashKey: "0", endingHashKey: String(2n ** 127n - 1n) },
      },
      {
        shardId: "shardId-000000000002",
        parentShardIds: [FIRST_SHARD],
        hashKeyRange: {
          startingHashKey: String(2n ** 127n),
          endingHashKey: String(2n ** 128n - 1n),
        },
      },
    ]);
    client.destroy();
  });

  test("names the child of a merge with both parents", async () => {
    const streamName = await createStream("merge", 2);
    const [first = "", second = ""] = (await shardsOf(streamName)).map((s) => s.ShardId);
    const client = testKinesis();
    await client.send(
      new MergeShardsCommand({
        StreamName: streamName,
        ShardToMerge: first,
        AdjacentShardToMerge: second,
      }),
    );
    await streamActive(streamName);
    const { read } = localReader(streamName);
    for (const shardId of [first, second]) {
      const batches = await take(read({ shardId }, HORIZON, never()), () => false);
      const children = batches.at(-1)?.shardEnd?.children;
      expect(children).toHaveLength(1);
      expect(children?.[0]?.parentShardIds.toSorted()).toEqual([first, second]);
    }
    client.destroy();
  });

  test("ends the reading when it comes later", async () => {
    const streamName = await createStream("live-split", 1);
    const { read } = localReader(streamName);
    const first = gate();
    const reading = take(read(shard, HORIZON, never()), () => {
      first.open();
      return false;
    });
    await first.opened;
    const client = testKinesis();
    const NewStartingHashKey = String(2n ** 127n);
    await client.send(
      new SplitShardCommand({
        StreamName: streamName,
        ShardToSplit: FIRST_SHARD,
        NewStartingHashKey,
      }),
    );
    expect((await reading).at(-1)?.shardEnd?.children).toHaveLength(2);
    client.destroy();
  });
});

describe("an abort", () => {
  test("before the start yields nothing", async () => {
    const { read } = localReader("no-such-stream");
    expect(await take(read(shard, HORIZON, AbortSignal.abort()), () => false)).toEqual([]);
  });

  test("while waiting for records ends the reading", async () => {
    const streamName = await createStream("abort", 1);
    const { read } = localReader(streamName);
    const abort = new AbortController();
    const batches = await take(read(shard, HORIZON, abort.signal), () => {
      abort.abort();
      return false;
    });
    expect(wordsOf(batches)).toEqual([]);
  });
});

test("fetches a few batches ahead while the consumer works, and no more", async () => {
  const streamName = await createStream("prefetch", 1);
  await put(streamName, words("word", 20));
  const { read, events } = localReader(streamName, { maxRecords: 1 });
  const batches = read(shard, HORIZON, never())[Symbol.asyncIterator]();
  await batches.next();
  const fetched = () => events.filter(({ type }) => type === "fetched").length;
  await until("the reader to fetch ahead", () => fetched() === 5);
  await batches.next();
  await until("the reader to fetch one more", () => fetched() === 6);
  await batches.return?.();
});
