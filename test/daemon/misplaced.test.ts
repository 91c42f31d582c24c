// Aggregates with a record whose hash key belongs to another shard: logged with their number, saved
// where there is a destination, and delivered all the same where the operator chose so.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PutRecordCommand } from "@aws-sdk/client-kinesis";
import { expect, it } from "vitest";
import { aggregate } from "../records/kpl.ts";
import { temporaryFolder } from "../support/daemon.ts";
import { createStream, put, testKinesis, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { keyOfShard, SHARDS, startMischief } from "../support/mischief.ts";

const [HERE, THERE] = [keyOfShard(0), keyOfShard(1)];

/** Two records of this shard, and between them one of the other. */
async function putMisplaced(StreamName: string): Promise<string> {
  const client = testKinesis();
  const users = [
    { partitionKey: HERE, data: Buffer.from("one") },
    { partitionKey: THERE, data: Buffer.from("two") },
    { partitionKey: HERE, data: Buffer.from("three") },
  ];
  const Data = aggregate(users);
  const { SequenceNumber, ShardId } = await client.send(
    new PutRecordCommand({ StreamName, Data, PartitionKey: HERE }),
  );
  client.destroy();
  expect(ShardId).toBe(SHARDS[0]);
  return SequenceNumber ?? "";
}

it("a misplaced aggregate is logged and saved once, and its shard continues", async () => {
  const stream = await createStream("misplaced", 2);
  const journal = await Journal.create();
  const file = join(await temporaryFolder(), "letters.ndjson");
  await put(stream, ["before"], HERE);
  const sequenceNumber = await putMisplaced(stream);
  const properties = { onFailureDestination: `file:${file}`, workerId: "same" };
  const daemon = await startMischief({ stream, journal, properties });
  const logged = await daemon.waitFor(({ event }) => event === "aggregateMisplaced", 60_000);
  expect(logged).toMatchObject({ shardId: SHARDS[0], sequenceNumber, records: 3, level: "error" });
  await daemon.waitFor(({ event }) => event === "recordsBuried", 60_000);
  await until("the word before", async () => (await journal.words()).includes("before"));
  expect(await daemon.stop()).toBe(0);
  const letters = (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(letters).toMatchObject(
    ["one", "two", "three"].map((word, subSequenceNumber) => ({
      ...{ version: 1, shardId: SHARDS[0], sequenceNumber, subSequenceNumber },
      ...{ condition: "hashRange", attempts: 0, data: Buffer.from(word).toString("base64") },
    })),
  );

  const second = await startMischief({ stream, journal, properties });
  await put(stream, ["after"], HERE);
  await until("the word after", async () => (await journal.words()).includes("after"));
  expect(await second.stop()).toBe(0);
  const again = ["aggregateMisplaced", "recordsBuried", "recordsExpired"];
  expect(second.events.filter(({ event }) => again.includes(event))).toEqual([]);
  expect((await journal.words()).toSorted()).toEqual(["after", "before"]);
});

it("aggregateHashRangeCheck = deliver delivers it nevertheless", async () => {
  const stream = await createStream("placed", 2);
  const journal = await Journal.create();
  await putMisplaced(stream);
  const properties = { aggregateHashRangeCheck: "deliver" };
  const daemon = await startMischief({ stream, journal, properties });
  await until("all its records", async () => (await journal.words()).length === 3);
  expect(await daemon.stop()).toBe(0);
  expect(await journal.words()).toEqual(["one", "two", "three"]);
});
