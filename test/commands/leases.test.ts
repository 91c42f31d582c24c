// `kinesis-multilang leases` on tables with rows as Java writes them, and on the table of a daemon.

import { execa } from "execa";
import split2 from "split2";
import { describe, expect, it, onTestFinished } from "vitest";
import { FLEET_ROWS, javaLease, kinesisMultilang, tableByHand } from "../operator/tables.ts";
import { MAIN, propertiesFile, startDaemon } from "../support/daemon.ts";
import {
  createStream,
  emulatorEnv,
  leaseItems,
  put,
  uniqueName,
  until,
} from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";

const NUMBER = "49680494083067037051925639100855486988620203423317360642";

async function javaTable() {
  return tableByHand([
    ...FLEET_ROWS,
    javaLease({ key: "shardId-000000000000", checkpoint: "SHARD_END", owner: "workerA" }),
    javaLease({
      key: "shardId-000000000001",
      checkpoint: NUMBER,
      sub: 3,
      owner: "workerA",
      parents: ["shardId-000000000000"],
    }),
    javaLease({ key: "shardId-000000000002", parents: ["shardId-000000000001"] }),
  ]);
}

describe("leases", () => {
  it("shows a table of Java 3.5 by its name, and reports its other rows", async () => {
    const table = await javaTable();
    const { stdout, stderr, exitCode } = await kinesisMultilang([
      ...["leases", "--table", table.name, "--observe", "0"],
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const lines = stdout.split("\n");
    expect(lines[2]?.split(/ {2,}/)).toEqual([
      ...["SHARD", "OWNER", "STATE", "CHECKPOINT", "RENEWED", "COUNTER"],
    ]);
    const rows = lines.slice(3, 6).map((line) => line.split(/ {2,}/));
    expect(rows).toEqual([
      ["shardId-000000000000", "workerA", "ended", "SHARD_END", "?", "5"],
      ["shardId-000000000001", "workerA", "held", "…03423317360642#3", "?", "5"],
      ["shardId-000000000002", "-", "waiting for parent", "TRIM_HORIZON", "-", "5"],
    ]);
    expect(stdout).toContain("3 leases of 1 worker: 1 held, 1 waiting for parent, 1 ended.");
    expect(stdout).toMatch(/rows of KCL 3.x: .*CLIENT_VERSION_3X.*workerA/);
  });

  it("distinguishes a live worker from one that does not renew its leases", async () => {
    const table = await tableByHand([
      javaLease({ key: "alive", owner: "a" }),
      javaLease({ key: "dead", owner: "b" }),
    ]);
    const renewing = setInterval(() => void table.renew("alive"), 100);
    onTestFinished(() => clearInterval(renewing));
    const { stdout } = await kinesisMultilang([
      ...["leases", "--table", table.name, "--observe", "1.5", "--json"],
    ]);
    const { leases } = JSON.parse(stdout);
    expect(leases).toMatchObject([
      { shardId: "alive", state: "active", renewedAtMostMsAgo: expect.any(Number) },
      { shardId: "dead", state: "held", renewedAtMostMsAgo: null },
    ]);
    expect(leases[1].renewedAtLeastMsAgo).toBeGreaterThan(0);
  });

  it("shows the leases of a daemon, and the age of records that are not checkpointed", async () => {
    const streamName = await createStream("leases", 2);
    const journal = await Journal.create();
    await put(streamName, ["a", "b", "c"], "one key");
    const properties = {
      streamName,
      applicationName: uniqueName("leases"),
      executableName: journal.command("never"),
      failoverTimeMillis: 2_000,
      workerId: "worker-1",
      initialPositionInStream: "TRIM_HORIZON",
    };
    const daemon = await startDaemon({ properties, env: journal.env });
    await daemon.waitFor("batchProcessed");
    const file = await propertiesFile(properties);
    const { stdout } = await kinesisMultilang(["leases", "-p", file, "--lag", "--json"]);
    const { leases } = JSON.parse(stdout);
    expect(leases).toMatchObject([
      { owner: "worker-1", state: "active" },
      { owner: "worker-1", state: "active" },
    ]);
    const lags = leases
      .map(({ lagMs }: { lagMs: number }) => lagMs)
      .sort((a: number, b: number) => a - b);
    expect(lags[0]).toBe(0);
    expect(lags[1]).toBeGreaterThan(0);
    await daemon.stop();
    expect((await leaseItems(properties.applicationName)).size).toBe(2);
  });

  it("prints a line for each change with --watch", async () => {
    const table = await tableByHand([javaLease({ key: "s", owner: "a" })]);
    const watching = execa(
      process.execPath,
      [MAIN, "leases", "--table", table.name, "--watch", "--interval", "0.2"],
      { env: emulatorEnv(), reject: false, buffer: false },
    );
    const lines: string[] = [];
    const explanations: string[] = [];
    watching.stdout.pipe(split2()).on("data", (line: string) => lines.push(line));
    watching.stderr.pipe(split2()).on("data", (line: string) => explanations.push(line));
    await until("the first read", () => lines.length === 2);
    expect(lines[0]).toMatch(/^\S+Z s held owner=a checkpoint=TRIM_HORIZON counter=5$/);
    await until("the explanations", () => explanations.some((line) => line.startsWith("held: ")));
    await table.renew("s");
    await until("the renewal", () => lines.some((line) => / s active /.test(line)));
    await table.put(javaLease({ key: "s", owner: "b", checkpoint: NUMBER, counter: 9 }));
    await until("the checkpoint", () =>
      lines.some((line) => line.includes(`checkpoint=${NUMBER}`)),
    );
    await table.client.deleteItem({ TableName: table.name, Key: { leaseKey: { S: "s" } } });
    await until("the deletion", () => lines.some((line) => / s deleted$/.test(line)));
    watching.kill("SIGINT");
    expect((await watching).exitCode).toBe(0);
  });

  it.each([
    ["no table of that name", ["--table", "nowhere"], /"nowhere".*no such table.*tableName/],
    ["no table", [], /-p FILE.*--table NAME/],
    ["lag without a stream", ["--table", "any", "--lag"], /--lag.*-p FILE/],
    ["a file and a table", ["-p", "f", "--table", "t"], /not both/],
    ["a file that does not exist", ["-p", "nowhere.properties"], /nowhere\.properties/],
  ])("explains %s", async (_, args, message) => {
    const { exitCode, stderr } = await kinesisMultilang(["leases", ...args]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});
