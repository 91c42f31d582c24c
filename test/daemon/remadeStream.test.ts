// A stream that was deleted and created again under its name: the new shards have the ids of the
// old ones, but other sequence numbers. No record of the new stream may be skipped, and no shard
// may wait without a log line.

import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamSummaryCommand,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { describe, expect, it } from "vitest";
import { kinesisMultilang } from "../operator/tables.ts";
import {
  type DaemonUnderTest,
  type LoggedEvent,
  propertiesFile,
  startDaemon,
} from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  shardsOf,
  streamActive,
  testKinesis,
  until,
} from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { SHARDS } from "../support/mischief.ts";

const REMEDY = "checkpoints reset --to trim-horizon";
/** A shard whose stream was gone for a while is asked for again after this at the latest. */
const LONGEST_PAUSE_MS = 30_000;
const words = (name: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${name} ${index}`);

async function application(shards: number) {
  const stream = await createStream("remade", shards);
  const journal = await Journal.create();
  const properties = {
    executableName: journal.command(),
    applicationName: stream,
    streamName: stream,
    initialPositionInStream: "TRIM_HORIZON",
    failoverTimeMillis: 1_500,
    workerId: "same",
  };
  const file = await propertiesFile(properties);
  return {
    stream,
    journal,
    start: (more: Readonly<Record<string, string>> = {}): Promise<DaemonUnderTest> =>
      startDaemon({ properties: { ...properties, ...more }, env: journal.env }),
    reset: () => {
      const move = ["checkpoints", "reset", "--to", "trim-horizon", "--yes"];
      return kinesisMultilang([...move, "-p", file, "--backup", `${file}.leases.json`]);
    },
    heard: (count: number) =>
      until(`${count} words`, async () => (await journal.words()).length >= count),
  };
}

async function remake(StreamName: string, shards: number): Promise<void> {
  const client = testKinesis();
  await client.send(new DeleteStreamCommand({ StreamName, EnforceConsumerDeletion: true }));
  await until("the stream to be gone", async () => {
    try {
      await client.send(new DescribeStreamSummaryCommand({ StreamName }));
      return false;
    } catch (error) {
      return error instanceof Error && error.name === "ResourceNotFoundException";
    }
  });
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: shards }));
  client.destroy();
  await streamActive(StreamName);
}

async function split(StreamName: string): Promise<void> {
  const client = testKinesis();
  const NewStartingHashKey = String(2n ** 127n);
  await client.send(
    new SplitShardCommand({ StreamName, ShardToSplit: SHARDS[0], NewStartingHashKey }),
  );
  client.destroy();
  await streamActive(StreamName);
}

const message = ({ events, otherLines }: DaemonUnderTest) =>
  [...events.map((event) => event.message), ...otherLines].join("\n");

describe("a stream that was created again while the daemon was stopped", () => {
  it("is not read with the leases of the old one; after a reset, all of it is read", async () => {
    const app = await application(1);
    await put(app.stream, words("old", 5));
    const first = await app.start();
    await app.heard(5);
    await split(app.stream);
    await until("the children", async () => (await leaseItems(app.stream)).size === 3);
    await put(app.stream, words("old too", 20));
    await app.heard(25);
    expect(await first.stop()).toBe(0);
    const before = await leaseItems(app.stream);
    expect(before.get(SHARDS[0])).toMatchObject({ checkpoint: "SHARD_END" });

    await remake(app.stream, 1);
    await put(app.stream, words("new", 5));
    const second = await app.start();
    expect(await second.ended).toBe(1);
    expect(message(second)).toContain("the stream was deleted and created again under its name");
    expect(message(second)).toContain(
      `${SHARDS[0]}: its checkpoint is SHARD_END, and the shard is open`,
    );
    expect(message(second)).toContain(`${SHARDS[1]}: the stream never had such a shard`);
    expect(message(second)).toContain(REMEDY);
    expect(await app.journal.words()).toHaveLength(25);

    const reset = await app.reset();
    expect({ code: reset.exitCode, said: reset.stdout }).toMatchObject({ code: 0 });
    const third = await app.start();
    await app.heard(30);
    // The children of the new shard have the ids that those of the old one had.
    await split(app.stream);
    await put(app.stream, words("new too", 20));
    await app.heard(50);
    expect((await app.journal.words()).filter((word) => word.startsWith("new")).toSorted()).toEqual(
      [...words("new", 5), ...words("new too", 20)].toSorted(),
    );
    expect(await third.stop()).toBe(0);
  });

  it("with more shards than before is not read in part", async () => {
    const app = await application(1);
    const first = await app.start();
    await first.waitFor("shardStarted");
    expect(await first.stop()).toBe(0);
    await remake(app.stream, 2);
    const second = await app.start();
    expect(await second.ended).toBe(1);
    expect(message(second)).toContain("its hash keys are");
    expect(message(second)).toContain(REMEDY);
  });
});

it("a stream that is created again while the daemon runs ends no shard, and an error names the remedy", async () => {
  const app = await application(2);
  await put(app.stream, words("old", 20));
  const daemon = await app.start();
  await app.heard(20);
  const before = await leaseItems(app.stream);
  await remake(app.stream, 1);
  await put(app.stream, words("new", 5));
  for (const shard of SHARDS) {
    const told = ({ shardId, message }: LoggedEvent) =>
      shardId === shard && message.includes(REMEDY);
    await daemon.waitFor(told, LONGEST_PAUSE_MS * 2);
  }
  expect(message(daemon)).toContain(`"${app.stream}" never had a shard ${SHARDS[1]}`);
  for (const [shardId, { checkpoint }] of await leaseItems(app.stream)) {
    expect(checkpoint).toBe(before.get(shardId)?.["checkpoint"]);
  }
  expect(await daemon.stop()).toBe(0);
  expect((await app.reset()).exitCode).toBe(0);
  const again = await app.start();
  await app.heard(25);
  expect(await again.stop()).toBe(0);
  const heard = (await app.journal.words()).filter((word) => word.startsWith("new"));
  expect(heard.toSorted()).toEqual(words("new", 5));
}, 120_000);

it("a stream that is back with all its shards is read on", async () => {
  // Nothing was read of it: the leases say where to begin, not where it went on.
  const app = await application(1);
  const first = await app.start();
  await first.waitFor("shardStarted");
  expect(await first.stop()).toBe(0);
  await remake(app.stream, 1);
  await put(app.stream, words("new", 5));
  const second = await app.start();
  await app.heard(5);
  expect(await second.stop()).toBe(0);
  expect(await shardsOf(app.stream)).toHaveLength(1);
});
