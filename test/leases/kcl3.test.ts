// A worker in a KCL 3.x fleet. The tests write what Java workers write; test/interop tests with
// real ones.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FleetRow } from "../../src/leases/fleetRow.ts";
import { fleetTables } from "../../src/leases/kcl3/fleetTables.ts";
import { describe as inWords, modeOf, NO_FLEET, watch } from "../../src/leases/kcl3/fleetView.ts";
import { UserError } from "../../src/model/errors.ts";
import { uniqueName, until } from "../support/emulators.ts";
import {
  never,
  openClient,
  openTable,
  shardsSideBySide,
  Worker,
  type WorkerOptions,
} from "./fleet.ts";
import { clientVersion, JavaFleet, javaReport, leaderLock, leaseRow, nowS } from "./javaFleet.ts";

let client: DynamoDB;
let tableName: string;
let java: JavaFleet;
const running: Worker[] = [];

beforeEach(async () => {
  client = await openClient();
  tableName = uniqueName("kcl3");
  java = new JavaFleet(client, tableName);
  await (await openTable(tableName)).ensure(never);
});

afterEach(async () => {
  await Promise.allSettled(running.splice(0).map((worker) => worker.kill()));
});

async function start(options: Partial<WorkerOptions> = {}): Promise<Worker> {
  const worker = new Worker({
    table: await openTable(tableName),
    fleet: fleetTables(client, java.names, "test"),
    shards: shardsSideBySide(2),
    ...options,
    settings: { failoverTimeMillis: 20_000, ...options.settings },
  });
  running.push(worker);
  return worker;
}

const [first = "", second = ""] = shardsSideBySide(2).map(({ shardId }) => shardId);

describe("without a state of KCL 3.x, or in the states around an upgrade", () => {
  test.each(["", "CLIENT_VERSION_UPGRADE_FROM_2X", "CLIENT_VERSION_2X"])(
    "(%s) leases are taken, nothing is reported and no table is created",
    async (cv) => {
      if (cv !== "") await java.put(clientVersion(cv));
      await java.put(leaderLock());
      const worker = await start();
      await worker.until(() => worker.held.size === 2);
      const chosen = worker.all("fleetModeChosen");
      expect(chosen).toMatchObject([{ version: "2x", led: false }]);
      expect(chosen[0]?.found).toContain(cv === "" ? "no state of KCL 3.x" : cv);
      expect(await java.row(worker.workerId)).toBeUndefined();
      const { TableNames = [] } = await client.listTables({ ExclusiveStartTableName: tableName });
      expect(TableNames.filter((name) => name.startsWith(tableName))).toEqual([]);
    },
  );
});

test("in an unknown state the worker does not start, and writes nothing", async () => {
  await java.put(clientVersion("CLIENT_VERSION_4X"));
  const worker = await start();
  await expect(worker.ended).rejects.toThrow(UserError);
  await expect(worker.ended).rejects.toThrow(/CLIENT_VERSION_4X.*newer version/);
  const { Items = [] } = await client.scan({ TableName: tableName });
  expect(Items).toHaveLength(1);
});

describe.each(["CLIENT_VERSION_3X", "CLIENT_VERSION_3X_WITH_ROLLBACK"])("in the state %s", (cv) => {
  test("a worker reports, takes only what it is assigned, hands over, and stops gracefully", async () => {
    await java.begin();
    await java.put(clientVersion(cv));
    await java.put(leaseRow(first));
    await java.put(leaseRow(second, "java"));
    const worker = await start();
    await worker.untilEvent("fleetModeChosen", ({ version, led }) => version === "3x" && led);
    await until("the report", async () => (await java.row(worker.workerId)) !== undefined);
    const report = await java.row(worker.workerId);
    expect(report).toMatchObject({
      entityType: { S: "WORKER_METRIC_STATS" },
      sts: { M: {} },
      opr: { M: {} },
      sup: { N: "1" },
    });
    expect(Math.abs(Number(report?.["lut"]?.N) - nowS())).toBeLessThan(20);
    expect(worker.held.size).toBe(0);

    await java.assign(first, worker.workerId);
    await worker.untilEvent(
      "leaseTaken",
      ({ shardId, how }) => shardId === first && how === "assigned",
    );
    expect([...worker.held.keys()]).toEqual([first]);

    await java.beginHandover(first, worker.workerId, "java");
    await worker.untilEvent("leaseReleased", ({ to }) => to === "java");
    const given = await java.row(first);
    expect(given).toMatchObject({ leaseOwner: { S: "java" }, entityType: { S: "LEASE" } });
    expect(given).not.toHaveProperty("checkpointOwner");

    await worker.stop();
    expect(await java.row(worker.workerId)).toBeUndefined();
    expect(await java.row("Migration3.0")).toEqual(clientVersion(cv));
    expect(await java.row("Leader")).toBeDefined();
  });
});

test("renewals report the throughput of a shard to the leader", async () => {
  await java.begin();
  await java.put(leaseRow(first));
  const worker = await start({
    settings: { failoverTimeMillis: 600 },
    consume: async (lease) => {
      while (!lease.lost.aborted && !lease.stopRequested.aborted) {
        lease.delivered(10_240);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  });
  await worker.untilEvent("fleetModeChosen");
  await java.assign(first, worker.workerId);
  await until(
    "a throughput",
    async () => Number((await java.row(first))?.["throughputKBps"]?.N) > 0,
  );
});

test("in tables of KCL 3.0 to 3.4 it reports where Java does, and writes only leases to the lease table", async () => {
  const { coordinatorStateTableName, workerMetricsTableName } = java.names;
  for (const [TableName, AttributeName] of [
    [coordinatorStateTableName, "key"],
    [workerMetricsTableName, "wid"],
  ] as const) {
    await client.createTable({
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [{ AttributeName, AttributeType: "S" }],
      KeySchema: [{ AttributeName, KeyType: "HASH" }],
    });
    await until(`${TableName}`, async () => {
      const { Table } = await client.describeTable({ TableName });
      return Table?.TableStatus === "ACTIVE";
    });
  }
  const { leaseKey: _, entityType: __, ...state } = clientVersion("CLIENT_VERSION_3X");
  await java.put({ ...state, key: { S: "Migration3.0" } }, coordinatorStateTableName);
  const { leaseKey: ___, entityType: ____, ...report } = javaReport();
  await java.put({ ...report, wid: { S: "java" } }, workerMetricsTableName);
  await java.put(leaseRow(first));
  const worker = await start();
  await worker.untilEvent("fleetModeChosen", ({ version, led }) => version === "3x" && led);
  const reported = () =>
    client.getItem({ TableName: workerMetricsTableName, Key: { wid: { S: worker.workerId } } });
  await until("the report", async () => (await reported()).Item !== undefined);
  expect((await reported()).Item).not.toHaveProperty("entityType");
  expect(await java.row(worker.workerId)).toBeUndefined();
  await worker.stop();
  expect((await reported()).Item).toBeUndefined();
});

test("when no Java worker is alive, our workers share the leases until one returns", async () => {
  await java.begin(nowS() - 600);
  for (const shardId of [first, second]) await java.put(leaseRow(shardId));
  const one = await start();
  const two = await start();
  await one.untilEvent("fleetModeChosen", ({ version, led }) => version === "3x" && !led);
  await one.until(() => one.held.size === 1);
  await two.until(() => two.held.size === 1);
  await java.begin();
  await one.untilEvent("fleetModeChosen", ({ led }) => led);
  await one.stop();
  await two.untilEvent("fleetModeChosen", ({ led }) => led);
  // What one left behind is the leader's to assign: two takes it only when it is forgotten.
  await java.assign(
    [...shardsSideBySide(2)].map(({ shardId }) => shardId).find((id) => !two.held.has(id)) ?? "",
    "java",
  );
  expect(two.held.size).toBe(1);
});

test("leases that the leader forgets are rescued: a dead worker's, and one without an owner", async () => {
  await java.begin();
  await java.put(leaseRow(first, "dead"));
  await java.put(leaseRow(second));
  const worker = await start({
    settings: { failoverTimeMillis: 600, leaseAssignmentIntervalMillis: 400 },
  });
  await worker.until(() => worker.held.size === 2);
  expect(
    worker
      .all("leaseTaken")
      .map(({ shardId, how }) => `${shardId} ${how}`)
      .sort(),
  ).toEqual([`${first} expired`, `${second} unowned`]);
  expect(worker.all("fleetModeChosen")).toMatchObject([{ led: true }]);
});

describe("a Java worker counts as alive", () => {
  const version: FleetRow = { type: "clientVersion", clientVersion: "CLIENT_VERSION_3X" };
  const report = (updatedS: number, ours = false): FleetRow => ({
    type: "worker",
    workerId: "w",
    updatedS,
    ours,
  });
  const lock = (version: string): FleetRow => ({
    type: "leader",
    workerId: "w",
    version,
    leaseDurationMs: 120_000,
  });
  const wall = 1_000_000_000;
  const led = (history: readonly (readonly [atMs: number, ...rows: readonly FleetRow[]])[]) => {
    let view = NO_FLEET;
    let atMs = 0;
    for (const [ms, ...rows] of history) {
      atMs = ms;
      view = watch(view, [version, ...rows], atMs);
    }
    return modeOf(view, atMs, wall + atMs).led;
  };

  test.each<[string, Parameters<typeof led>[0], boolean]>([
    ["that has reported lately", [[0, report(wall / 1000 - 50)]], true],
    ["not when its report is old", [[0, report(wall / 1000 - 100)]], false],
    [
      "by a clock far off, when its report changes",
      [
        [0, report(5)],
        [9_000, report(39)],
      ],
      true,
    ],
    [
      "not long after it stopped to change",
      [
        [0, report(5)],
        [9_000, report(39)],
        [99_000, report(39)],
      ],
      false,
    ],
    ["not when it is one of ours", [[0, report(wall / 1000, true)]], false],
    [
      "whose lock beats",
      [
        [0, lock("a")],
        [30_000, lock("b")],
      ],
      true,
    ],
    [
      "not when it beats no more",
      [
        [0, lock("a")],
        [30_000, lock("b")],
        [110_000, lock("b")],
      ],
      false,
    ],
    [
      "for a while, when nothing but its lock is known",
      [
        [0, lock("a")],
        [50_000, lock("a")],
      ],
      true,
    ],
    [
      "not for longer",
      [
        [0, lock("a")],
        [80_000, lock("a")],
      ],
      false,
    ],
    ["not by a lock whose owner's report is old", [[0, lock("a"), report(5)]], false],
  ])("%s", (_, history, alive) => {
    expect(led(history)).toBe(alive);
  });

  test("and one line reports what was found", () => {
    const view = watch(
      NO_FLEET,
      [version, lock("a"), report(5), { ...report(6, true), workerId: "n" } as FleetRow],
      0,
    );
    expect(inWords(view)).toBe(
      "the fleet is in the state CLIENT_VERSION_3X, its leader's lock is held by w, 1 Java worker has reported",
    );
  });
});
