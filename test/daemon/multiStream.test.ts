// Several streams in one application: lease keys as in KCL's multi-stream mode, each child told its
// stream, and all leases shared by one fleet.

import { join } from "node:path";
import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { expect, inject, test } from "vitest";
import { checkpointsCommand } from "../../src/commands/checkpoints.ts";
import { runCommand } from "../commands/support.ts";
import { propertiesFile, startDaemon, temporaryFolder } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  shardsOf,
  testDynamo,
  testKinesis,
  until,
} from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

const MIDDLE_OF_KEYS = 2n ** 127n;

async function split(streamName: string): Promise<void> {
  const client = testKinesis();
  await client.send(
    new SplitShardCommand({
      StreamName: streamName,
      ShardToSplit: "shardId-000000000000",
      NewStartingHashKey: String(MIDDLE_OF_KEYS),
    }),
  );
  client.destroy();
}

const KEYS = { AWS_ACCESS_KEY_ID: "local", AWS_SECRET_ACCESS_KEY: "local" };

/** A row of one stream, as a worker of it leaves it. */
async function putRow(table: string, row: Readonly<Record<string, string | undefined>>) {
  const numbers = ["leaseCounter", "checkpointSubSequenceNumber", "ownerSwitchesSinceCheckpoint"];
  const client = testDynamo();
  const Item = Object.fromEntries(
    Object.entries(row).map(([name, value = ""]) => [
      name,
      numbers.includes(name) ? { N: value } : { S: value },
    ]),
  );
  await client.send(new PutItemCommand({ TableName: table, Item }));
  client.destroy();
}

/** The rows by `stream/shard`. */
async function leases(table: string) {
  const rows = [...(await leaseItems(table)).values()];
  const name = (row: (typeof rows)[number]) =>
    `${row["streamName"]?.split(":")[1]}/${row["shardId"]?.slice(-1)}`;
  return new Map(rows.map((row) => [name(row), row]));
}

test("streams share a lease table, and each child knows its stream", {
  timeout: 180_000,
}, async () => {
  const journal = await Journal.create();
  const [one, two] = [await createStream("one", 1), await createStream("two", 1)];
  const table = `${one}-and-${two}`;
  const properties = {
    executableName: journal.command("batch"),
    applicationName: table,
    streamName: `${one}, arn:aws:kinesis:us-east-1:000000000000:stream/${two}`,
  };
  const first = await startDaemon({
    properties: { ...properties, workerId: "first" },
    env: journal.env,
  });
  await put(one, ["uno"]);
  await put(two, ["dos"]);
  await until("both words", async () => (await journal.words()).length === 2);

  const entries = [...(await journal.read()).values()].flat();
  const words = entries.filter(({ words: found }) => found && found.length > 0);
  expect(words.map(({ stream, words: found }) => [stream, found?.[0]]).sort()).toEqual([
    [one, "uno"],
    [two, "dos"],
  ]);
  const started = first.events.filter(({ event }) => event === "shardStarted");
  const places = started.map(({ streamName, shardId }) => `${streamName}/${shardId}`);
  expect([...new Set(places)].sort()).toEqual([
    `${one}/shardId-000000000000`,
    `${two}/shardId-000000000000`,
  ]);

  // The children of a split are found, in the stream of their parent only.
  await split(one);
  await until("the children of the split", async () => {
    const rows = await leases(table);
    return rows.get(`${one}/2`)?.["leaseOwner"] === "first";
  });
  await put(one, ["tres"], "b");
  await until("the word after the split", async () => (await journal.words()).includes("tres"));
  const rows = await leases(table);
  expect([...rows.keys()].sort()).toEqual([`${one}/0`, `${one}/1`, `${one}/2`, `${two}/0`]);
  expect(rows.get(`${one}/1`)?.["parentShardId"]).toBe('["shardId-000000000000"]');
  expect(rows.get(`${one}/0`)).toMatchObject({
    checkpoint: "SHARD_END",
    childShardIds: '["shardId-000000000001","shardId-000000000002"]',
    shardId: "shardId-000000000000",
  });

  // A second worker gets its share of all open shards together, whatever their streams.
  const second = await startDaemon({
    properties: { ...properties, workerId: "second" },
    env: journal.env,
  });
  await second.waitFor("leaseTaken");
  await until("a balance of two and one", async () => {
    const open = [...(await leases(table)).values()].filter(
      ({ checkpoint }) => checkpoint !== "SHARD_END",
    );
    const owned = open.filter(({ leaseOwner }) => leaseOwner === "second").length;
    return open.length === 3 && (owned === 1 || owned === 2);
  });
  expect(await first.stop()).toBe(0);
  expect(await second.stop()).toBe(0);
  expect((await shardsOf(one)).length).toBe(3);
});

test("a stream that is taken out keeps its leases, and continues when it returns", {
  timeout: 180_000,
}, async () => {
  const journal = await Journal.create();
  const [one, two, three] = await Promise.all(
    ["one", "two", "three"].map((prefix) => createStream(prefix, 1)),
  );
  const table = `${one}-in-and-out`;
  const start = (streamName: string) =>
    startDaemon({
      properties: { executableName: journal.command("batch"), applicationName: table, streamName },
      env: journal.env,
    });
  const both = await start(`${one}, ${two}`);
  await put(two ?? "", ["before"]);
  await until("the word before", async () => (await journal.words()).includes("before"));
  expect(await both.stop()).toBe(0);

  const without = await start(`${one}, ${three}`);
  const seen = await without.waitFor("otherStreamSeen");
  expect(seen.message).toContain(`:${two}:`);
  await put(two ?? "", ["meanwhile"]);
  await put(three ?? "", ["new"]);
  await until("the word of the new stream", async () => (await journal.words()).includes("new"));
  expect(await without.stop()).toBe(0);
  expect((await journal.words()).includes("meanwhile")).toBe(false);

  const again = await start(`${one}, ${two}`);
  await until("the word in between", async () => (await journal.words()).includes("meanwhile"));
  expect(await again.stop()).toBe(0);
  expect((await journal.words()).filter((word) => word === "before")).toHaveLength(1);
});

test("the leases of one stream are not overlooked", { timeout: 180_000 }, async () => {
  const journal = await Journal.create();
  const [one, two] = [await createStream("one", 1), await createStream("two", 1)];
  const properties = { executableName: journal.command("batch"), applicationName: one };
  const single = await startDaemon({ properties: { ...properties, streamName: one } });
  await single.waitFor("daemonReady");
  await single.stop();

  const several = await startDaemon({
    properties: { ...properties, streamName: `${one}, ${two}` },
  });
  expect(await several.ended).toBe(1);
  expect(several.otherLines.join("\n")).toMatch(/leases of one stream.*checkpoints migrate/);
  expect([...(await leaseItems(one)).keys()]).toEqual(["shardId-000000000000"]);
});

test("a switch from one stream to several keeps the checkpoints", {
  timeout: 240_000,
}, async () => {
  const journal = await Journal.create();
  const [one, two] = [await createStream("one", 2), await createStream("two", 1)];
  const properties = {
    executableName: journal.command("batch"),
    applicationName: one,
    failoverTimeMillis: 2_000,
  };
  const single = await startDaemon({
    properties: { ...properties, streamName: one, workerId: "single" },
    env: journal.env,
  });
  await put(one, ["a", "b", "c"]);
  await until("the words of one stream", async () => (await journal.words()).length === 3);

  const file = await propertiesFile({
    ...properties,
    streamName: `${one}, ${two}`,
    kinesisEndpoint: inject("kinesisUrl"),
    dynamoDBEndpoint: inject("dynamoUrl"),
    regionName: "us-east-1",
    initialPositionInStream: "TRIM_HORIZON",
    retrievalMode: "POLLING",
  });
  const migrate = (...args: readonly string[]) =>
    runCommand(checkpointsCommand(), ["migrate", "-p", file, ...args], KEYS);
  await expect(migrate()).rejects.toThrow(/Name one of them with --stream/);
  const living = await migrate("--stream", one, "--yes");
  expect(living).toMatchObject({ exitCode: 1, out: expect.stringContaining("single: shardId-") });
  expect(await single.stop()).toBe(0);
  const before = await leaseItems(one);

  const dry = await migrate("--stream", one);
  expect(dry).toMatchObject({ exitCode: 0, out: expect.stringContaining("repeat the command") });
  expect(await leaseItems(one)).toEqual(before);

  // As if an earlier attempt had been stopped after its first write.
  const backup = join(await temporaryFolder(), "rows.json");
  const done = await migrate("--stream", one, "--yes", "--backup", backup);
  expect(done).toMatchObject({ exitCode: 0, out: expect.stringContaining("Migrated 2 leases") });
  await putRow(one, before.get("shardId-000000000000") ?? {});
  const rest = await migrate("--stream", one, "--yes", "--backup", `${backup}.2`);
  expect(rest.out).toMatch(/keep.*Migrated 1 lease/s);
  const rows = [...(await leases(one)).entries()];
  expect(rows.map(([name, { checkpoint }]) => [name, checkpoint]).sort()).toEqual([
    [`${one}/0`, before.get("shardId-000000000000")?.["checkpoint"]],
    [`${one}/1`, before.get("shardId-000000000001")?.["checkpoint"]],
  ]);

  const several = await startDaemon({
    properties: { ...properties, streamName: `${one}, ${two}` },
    env: journal.env,
  });
  await put(one, ["d"]);
  await put(two, ["e"]);
  await until("the words of both", async () => (await journal.words()).length >= 5);
  expect([...(await journal.words())].sort()).toEqual(["a", "b", "c", "d", "e"]);

  // Operators see the streams, and move the checkpoints of one.
  expect(await several.stop()).toBe(0);
  const shown = await runCommand(checkpointsCommand(), ["show", file], KEYS);
  expect(shown.out).toContain(`${two}/shardId-000000000000`);
  const reset = ["reset", "-p", file, "--stream", two, "--to", "trim-horizon", "--yes"];
  const moved = await runCommand(checkpointsCommand(), [...reset, "--backup", `${backup}.3`], KEYS);
  expect(moved.exitCode).toBe(0);
  const now = await leases(one);
  expect(now.get(`${two}/0`)?.["checkpoint"]).toBe("TRIM_HORIZON");
  expect(now.get(`${one}/0`)?.["checkpoint"]).not.toBe("TRIM_HORIZON");
});

test("a stream that does not exist is named", { timeout: 180_000 }, async () => {
  const one = await createStream("one", 1);
  const daemon = await startDaemon({
    properties: { executableName: "cat", applicationName: one, streamName: `${one}, ${one}-typo` },
  });
  expect(await daemon.ended).toBe(1);
  expect(daemon.otherLines.join("\n")).toContain(`${one}-typo does not exist`);
  expect(await leaseItems(one)).toEqual(new Map());
});
