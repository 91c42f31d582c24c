// `kinesis-multilang checkpoints` on real services: which records a move delivers, which workers
// block it, and what it saves.

import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { SplitShardCommand } from "@aws-sdk/client-kinesis";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { javaLease, kinesisMultilang, tableByHand } from "../operator/tables.ts";
import { propertiesFile, startDaemon, temporaryFolder } from "../support/daemon.ts";
import {
  createStream,
  leaseItems,
  put,
  shardsOf,
  streamActive,
  testKinesis,
  uniqueName,
  until,
} from "../support/emulators.ts";
import { startFaultProxy } from "../support/faultProxy.ts";
import { Journal } from "../support/journal.ts";

const FIRST = "shardId-000000000000";
const HALF = "170141183460469231731687303715884105728";

interface Application {
  readonly streamName: string;
  readonly table: string;
  readonly file: string;
  readonly folder: string;
  readonly journal: Journal;
  /**
   * Runs a daemon until its children have received exactly these words since the start of the test.
   */
  readUntil(words: readonly string[]): Promise<void>;
  start(): ReturnType<typeof startDaemon>;
  run(args: readonly string[]): ReturnType<typeof kinesisMultilang>;
}

async function application(shards: number): Promise<Application> {
  const streamName = await createStream("move", shards);
  const journal = await Journal.create();
  const table = uniqueName("move");
  const properties = {
    streamName,
    applicationName: table,
    executableName: journal.command(),
    initialPositionInStream: "TRIM_HORIZON",
    failoverTimeMillis: 1_500,
    parentShardPollIntervalMillis: 200,
  };
  const file = await propertiesFile(properties);
  const folder = await temporaryFolder();
  const start = () => startDaemon({ properties, env: journal.env });
  return {
    ...{ streamName, table, file, folder, journal, start },
    async readUntil(words) {
      const daemon = await start();
      await until(`the words ${words}`, async () => {
        const read = await journal.words();
        const times = (word: string, of: readonly string[]) =>
          of.filter((one) => one === word).length;
        return words.every((word) => times(word, read) >= times(word, words));
      });
      expect(await daemon.stop()).toBe(0);
    },
    run: (args) => kinesisMultilang(["checkpoints", ...args, "-p", file]),
  };
}

async function split(streamName: string): Promise<void> {
  const client = testKinesis();
  await client.send(
    new SplitShardCommand({
      StreamName: streamName,
      ShardToSplit: FIRST,
      NewStartingHashKey: HALF,
    }),
  );
  client.destroy();
  await streamActive(streamName);
}

/** Returns a moment between the records put before and the records put afterwards. */
async function moment(): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, 30));
  const time = new Date().toISOString();
  await new Promise((resolve) => setTimeout(resolve, 30));
  return time;
}

describe("reset", () => {
  it("goes back through a split, prints the plan first, saves the rows, and can be undone", async () => {
    const app = await application(1);
    await put(app.streamName, ["a", "b"], "k");
    await split(app.streamName);
    await put(app.streamName, ["c", "d", "e", "f"]);
    await app.readUntil(["a", "b", "c", "d", "e", "f"]);
    const before = await leaseItems(app.table);
    expect(before.get(FIRST)).toMatchObject({ checkpoint: "SHARD_END" });

    const dry = await app.run(["reset", "--to", "trim-horizon"]);
    expect(dry.exitCode).toBe(0);
    expect(dry.stdout).toMatch(/shardId-000000000000 +SHARD_END +TRIM_HORIZON/);
    expect(dry.stdout).toContain("nothing was written");
    expect(await leaseItems(app.table)).toEqual(before);

    const backup = join(app.folder, "saved.json");
    const done = await app.run(["reset", "--to", "trim-horizon", "--yes", "--backup", backup]);
    expect({ code: done.exitCode, err: done.stderr }).toMatchObject({ code: 0 });
    expect(done.stdout).toContain(backup);
    expect((await stat(backup)).mode & 0o777).toBe(0o600);
    for (const { checkpoint } of (await leaseItems(app.table)).values()) {
      expect(checkpoint).toBe("TRIM_HORIZON");
    }

    const undone = await app.run(["restore", backup, "--yes", "--backup", join(app.folder, "2")]);
    expect(undone.exitCode).toBe(0);
    for (const [shardId, row] of await leaseItems(app.table)) {
      const { checkpoint, leaseCounter } = before.get(shardId) ?? {};
      expect(row).toMatchObject({ checkpoint });
      // A child shard without records was at TRIM_HORIZON before, so the reset did not write its
      // lease.
      if (checkpoint === "TRIM_HORIZON") continue;
      expect(Number(row["leaseCounter"])).toBeGreaterThan(Number(leaseCounter));
    }
    await app.run(["reset", "--to", "trim-horizon", "--yes", "--backup", join(app.folder, "3")]);
    const twice = ["a", "b", "c", "d", "e", "f"].flatMap((word) => [word, word]);
    await put(app.streamName, ["end"]);
    await app.readUntil([...twice, "end"]);
    expect([...(await app.journal.words())].sort()).toEqual([...twice, "end"].sort());
  });

  it("to a time delivers again exactly the records from that time on", async () => {
    const app = await application(2);
    await put(app.streamName, ["old 1", "old 2", "old 3", "old 4"]);
    const time = await moment();
    await put(app.streamName, ["new 1", "new 2", "new 3", "new 4"]);
    await app.readUntil(["old 1", "old 2", "old 3", "old 4", "new 1", "new 2", "new 3", "new 4"]);
    const done = await app.run(["reset", "--to", time, "--yes", "--backup", join(app.folder, "b")]);
    expect(done.exitCode, done.stderr).toBe(0);
    const again = ["new 1", "new 2", "new 3", "new 4"];
    await put(app.streamName, ["end"]);
    const wanted = [...again, ...again, "end", "old 1", "old 2", "old 3", "old 4"];
    await app.readUntil(wanted);
    expect([...(await app.journal.words())].sort()).toEqual(wanted.sort());
  });

  it("to latest skips the present records, and no later ones", async () => {
    const app = await application(1);
    await put(app.streamName, ["first"], "k");
    await app.readUntil(["first"]);
    await put(app.streamName, ["passed over"], "k");
    await split(app.streamName);
    await put(app.streamName, ["over 1", "over 2", "over 3", "over 4"]);
    const done = await app.run([
      "reset",
      "--to",
      "latest",
      "--yes",
      "--backup",
      join(app.folder, "b"),
    ]);
    expect(done.exitCode, done.stderr).toBe(0);
    expect((await leaseItems(app.table)).get(FIRST)).toMatchObject({ checkpoint: "SHARD_END" });
    // These are put before any daemon runs, so a lease at LATEST would skip them.
    await put(app.streamName, ["end 1", "end 2", "end 3", "end 4"]);
    await app.readUntil(["end 1", "end 2", "end 3", "end 4"]);
    expect([...(await app.journal.words())].sort()).toEqual([
      "end 1",
      "end 2",
      "end 3",
      "end 4",
      "first",
    ]);
  });

  it("creates the leases of an application that has not run yet", async () => {
    const app = await application(1);
    await put(app.streamName, ["old"], "k");
    const table = await tableByHand([], app.table);
    const done = await app.run([
      "reset",
      "--to",
      "latest",
      "--yes",
      "--backup",
      join(app.folder, "b"),
    ]);
    expect(done.exitCode, done.stderr).toBe(0);
    expect(await table.item(FIRST)).toMatchObject({ leaseCounter: { N: "0" } });
    await put(app.streamName, ["new"], "k");
    await app.readUntil(["new"]);
    expect(await app.journal.words()).toEqual(["new"]);
  });

  it("leaves a damaged row to the user, and creates the lease when the row is deleted", async () => {
    const streamName = await createStream("damaged", 1);
    const { checkpoint: _, ...damaged } = javaLease({ key: FIRST });
    const { name: table, client } = await tableByHand([damaged]);
    const properties = { streamName, applicationName: table, executableName: "cat" };
    const file = await propertiesFile({ ...properties, failoverTimeMillis: 1_500 });
    const reset = ["checkpoints", "reset", "--shard", FIRST, "--to", "trim-horizon", "-p", file];

    const refused = await kinesisMultilang(reset);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(`The row of ${FIRST} is damaged`);
    expect((await leaseItems(table)).get(FIRST)).not.toHaveProperty("checkpoint");

    await client.deleteItem({ TableName: table, Key: { leaseKey: { S: FIRST } } });
    const backup = join(await temporaryFolder(), "saved.json");
    expect(await kinesisMultilang([...reset, "--yes", "--backup", backup])).toMatchObject({
      exitCode: 0,
    });
    expect((await leaseItems(table)).get(FIRST)).toMatchObject({ checkpoint: "TRIM_HORIZON" });
  });
});

describe("a live worker", () => {
  it("blocks a reset; with --force it loses its lease and reads from the new checkpoint", async () => {
    const app = await application(1);
    await put(app.streamName, ["a", "b"], "k");
    const daemon = await app.start();
    await until("both words", async () => (await app.journal.words()).length === 2);
    await daemon.waitFor("checkpointed");
    const refused = await app.run(["reset", "--to", "trim-horizon", "--yes"]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stdout).toMatch(
      /^Live workers hold 1 of these leases.*\n.*shardId-000000000000\n.*--force/m,
    );
    expect((await leaseItems(app.table)).get(FIRST)).not.toMatchObject({
      checkpoint: "TRIM_HORIZON",
    });

    const backup = join(app.folder, "b");
    const forced = await app.run([
      ...["reset", "--to", "trim-horizon", "--yes", "--force", "--backup", backup],
    ]);
    expect(forced.exitCode, forced.stderr).toBe(0);
    await daemon.waitFor("leaseLost");
    await until("both words again", async () => (await app.journal.words()).length === 4);
    expect(await app.journal.actions(FIRST)).toContain("leaseLost");
    expect(await daemon.stop()).toBe(0);
  });

  it("that no longer renews does not block a reset", async () => {
    const app = await application(1);
    const [record] = await put(app.streamName, ["a"], "k");
    const number = record?.sequenceNumber ?? "";
    const table = await tableByHand(
      [javaLease({ key: FIRST, owner: "dead", checkpoint: number, counter: 7 })],
      app.table,
    );
    const done = await app.run([
      ...["reset", "--to", "trim-horizon", "--yes", "--backup", join(app.folder, "b")],
    ]);
    expect(done.exitCode, done.stdout).toBe(0);
    const row = await table.item(FIRST);
    expect(row).toMatchObject({
      checkpoint: { S: "TRIM_HORIZON" },
      leaseCounter: { N: "8" },
      throughputKBps: { N: expect.any(String) },
    });
    expect(row).not.toHaveProperty("leaseOwner");
  });
});

it("a lease that changes after the plan was made stops the command, and is not overwritten", async () => {
  const app = await application(1);
  const table = await tableByHand([javaLease({ key: FIRST, checkpoint: "LATEST" })], app.table);
  const proxy = await startFaultProxy(inject("dynamoUrl"));
  onTestFinished(() => proxy.stop());
  const file = await propertiesFile({
    streamName: app.streamName,
    applicationName: app.table,
    executableName: "cat",
    dynamoDBEndpoint: proxy.url,
    failoverTimeMillis: 1_500,
  });
  proxy.next("UpdateItem", { type: "error", name: "ProvisionedThroughputExceededException" });
  const reset = ["checkpoints", "reset", "--to", "trim-horizon", "--yes", "-p", file];
  const throttled = await kinesisMultilang([...reset, "--backup", join(app.folder, "1")]);
  expect(throttled).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/Provisioned/) });
  proxy.next("UpdateItem", { type: "error", name: "ConditionalCheckFailedException" });
  const stopped = await kinesisMultilang([...reset, "--backup", join(app.folder, "2")]);
  expect(stopped.exitCode).toBe(1);
  expect(stopped.stdout).toMatch(
    /Stopped: another process changed the lease.*0 of 1 lease written/,
  );
  expect(await table.item(FIRST)).toMatchObject({ checkpoint: { S: "LATEST" } });
});

describe("set", () => {
  it("writes one checkpoint, at a record that exists", async () => {
    const app = await application(1);
    const [first, second] = await put(app.streamName, ["a", "b", "c"], "k");
    await app.readUntil(["a", "b", "c"]);
    const to = first?.sequenceNumber ?? "";
    const backup = join(app.folder, "b");
    const set = ["set", "--shard", FIRST, "--to"];
    const done = await app.run([...set, `${to}#0`, "--yes", "--backup", backup]);
    expect(done.exitCode, done.stderr).toBe(0);
    expect((await leaseItems(app.table)).get(FIRST)).toMatchObject({ checkpoint: to });
    await put(app.streamName, ["d"], "k");
    await app.readUntil(["a", "b", "b", "c", "c", "d"]);
    expect([...(await app.journal.words())].sort()).toEqual(["a", "b", "b", "c", "c", "d"]);

    const occupied = await app.run([...set, "trim-horizon", "--yes", "--backup", backup]);
    expect(occupied).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/exists already/),
    });
    const unknown = await app.run([...set, `${BigInt(second?.sequenceNumber ?? 0) + 1n}`]);
    expect(unknown).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/knows no record/),
    });
    const elsewhere = await app.run([...set, "1".repeat(20)]);
    expect(elsewhere.stderr).toMatch(/is not in shardId-000000000000, whose numbers go from/);
  });

  it("is refused when child shards would have to go back, too", async () => {
    const app = await application(1);
    await put(app.streamName, ["a"], "k");
    await split(app.streamName);
    await put(app.streamName, ["b", "c", "d", "e"]);
    await app.readUntil(["a", "b", "c", "d", "e"]);
    const refused = await app.run(["set", "--shard", "0", "--to", "trim-horizon", "--yes"]);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(
      /descends? from shardId-000000000000, and (has|have) already begun.*reset --shard shardId-000000000000/,
    );
    const closed = await app.run(["set", "--shard", FIRST, "--to", "latest", "--yes"]);
    expect(closed.stderr).toMatch(/shardId-000000000000 was closed before that moment/);
    expect(await shardsOf(app.streamName)).toHaveLength(3);
  });
});

describe("a backup", () => {
  it("keeps binary attributes, and restores a row that was deleted", async () => {
    const app = await application(1);
    const state = Buffer.from([0, 255, 7]);
    const table = await tableByHand(
      [
        {
          ...javaLease({ key: FIRST, checkpoint: "LATEST", counter: 7 }),
          pendingCheckpoint: { S: "TRIM_HORIZON" },
          pendingCheckpointState: { B: state },
        },
      ],
      app.table,
    );
    const backup = join(app.folder, "b");
    const reset = ["reset", "--to", "trim-horizon", "--yes", "--backup", backup];
    expect(await app.run(reset)).toMatchObject({ exitCode: 0 });
    expect(await table.item(FIRST)).not.toHaveProperty("pendingCheckpointState");
    await table.client.deleteItem({ TableName: table.name, Key: { leaseKey: { S: FIRST } } });
    const done = await app.run(["restore", backup, "--yes", "--backup", join(app.folder, "2")]);
    expect(done.exitCode, done.stderr).toBe(0);
    const row = await table.item(FIRST);
    expect(row).toMatchObject({
      checkpoint: { S: "LATEST" },
      pendingCheckpoint: { S: "TRIM_HORIZON" },
    });
    expect(Buffer.from(row?.["pendingCheckpointState"]?.B ?? [])).toEqual(state);
    expect(Number(row?.["leaseCounter"]?.N)).toBeGreaterThan(8);
  });

  it.each([
    ["that does not exist", "nowhere.json", /nowhere\.json cannot be read/],
    ["that is another kind of file", "package.json", /package\.json is not a backup/],
  ])("%s is an error that says so", async (_, file, message) => {
    const app = await application(1);
    const ended = await app.run(["restore", file, "--yes"]);
    expect(ended).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(message) });
  });

  it("of another table is refused", async () => {
    const app = await application(1);
    const other = await application(1);
    await tableByHand([javaLease({ key: FIRST, checkpoint: "LATEST" })], app.table);
    const backup = join(app.folder, "b");
    await app.run(["reset", "--to", "trim-horizon", "--yes", "--backup", backup]);
    expect(JSON.parse(await readFile(backup, "utf8"))).toMatchObject({ tableName: app.table });
    await tableByHand([], other.table);
    const ended = await other.run(["restore", backup, "--yes"]);
    expect(ended.stderr).toMatch(new RegExp(`${app.table}, not of ${other.table}`));
  });
});

describe("show", () => {
  it("prints checkpoints in full, and as JSON", async () => {
    const number = "49680494083067037051925639100855486988620203423317360642";
    const app = await application(1);
    await tableByHand(
      [
        javaLease({ key: FIRST, checkpoint: number, sub: 3, owner: "w" }),
        javaLease({ key: "shardId-000000000001", parents: [FIRST] }, "2.x"),
      ],
      app.table,
    );
    const { stdout } = await app.run(["show"]);
    expect(stdout).toMatch(new RegExp(`${FIRST} +${number}#3 +w +- +-`));
    const json = await app.run(["show", "--json", "--shard", FIRST]);
    expect(JSON.parse(json.stdout).leases).toMatchObject([{ shardId: FIRST, owner: "w" }]);
  });
});

it.each([
  ["a --to that is not valid", ["reset", "--to", "noon"], /--to noon is not valid.*trim-horizon/],
  ["a time without a zone", ["reset", "--to", "2026-01-01T10:00:00"], /is not valid.*10:15:00Z/],
  ["a time in the future", ["reset", "--to", "2999-01-01"], /in the future.*latest/],
  ["a record without a shard", ["reset", "--to", "1".repeat(30)], /--shard/],
  ["a missing --to", ["reset"], /--to/],
  ["set without a shard", ["set", "--to", "latest"], /--shard/],
  [
    "a shard that does not exist",
    ["reset", "--to", "latest", "--shard", "x"],
    /The stream does not list x:/,
  ],
])("explains %s", async (_, args, message) => {
  const streamName = await createStream("move", 1);
  const table = await tableByHand([]);
  onTestFinished(() => table.client.destroy());
  const properties = { streamName, applicationName: table.name, executableName: "cat" };
  const file = await propertiesFile(properties);
  const { exitCode, stderr } = await kinesisMultilang(["checkpoints", ...args, "-p", file]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/\n\s+at /);
});
