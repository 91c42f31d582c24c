// Leases that the leader of a KCL 3.x fleet assigns, found by the table's index of owners. These
// tests use DynamoDB Local, because dynalite cannot add an index to a table. Scans are half a
// minute apart, so whatever happens between two of them was found by the index.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { type Clock, systemClock } from "../../src/clock.ts";
import { fleetTables, OWNER_INDEX } from "../../src/leases/kcl3/fleetTables.ts";
import { Scope } from "../../src/sample/scope.ts";
import { FETCH_LIMIT_MS, needDynamoLocal } from "../support/dynamoLocal.ts";
import { uniqueName, until } from "../support/emulators.ts";
import {
  never,
  openClient,
  openTable,
  parentsOf,
  shardsSideBySide,
  Worker,
  type WorkerOptions,
} from "./fleet.ts";
import { JavaFleet, leaseRow } from "./javaFleet.ts";
import { type Call, DynamoProxy, type Fate } from "./proxy.ts";

const settings = { failoverTimeMillis: 30_000 };
const [first = "", second = ""] = shardsSideBySide(2).map(({ shardId }) => shardId);
const RENEWAL = /SET leaseCounter = /;

const scope = new Scope();
const running: Worker[] = [];
let dynamo: Promise<string> | undefined;
let client: DynamoDB;
let proxy: DynamoProxy;
let tableName: string;
let java: JavaFleet;
/** Calls of workers, in the order in which they came. */
let calls: Call[];
let fate: (call: Call) => Fate;

beforeEach(async (context) => {
  dynamo ??= needDynamoLocal(context, scope);
  const url = await dynamo;
  client = await openClient(url);
  tableName = uniqueName("discovery");
  java = new JavaFleet(client, tableName);
  await (await openTable(tableName, url)).ensure(never);
  calls = [];
  fate = () => "pass";
  proxy = await DynamoProxy.start(url);
  proxy.fate = (call) => {
    calls.push(call);
    return fate(call);
  };
}, FETCH_LIMIT_MS);

afterEach(async () => {
  await Promise.allSettled(running.splice(0).map((worker) => worker.kill()));
  await proxy?.stop();
});

afterAll(() => scope.close());

/** As a Java worker makes it. */
async function makeIndex(): Promise<void> {
  await client.updateTable({
    TableName: tableName,
    AttributeDefinitions: ["leaseKey", "leaseOwner"].map((AttributeName) => ({
      AttributeName,
      AttributeType: "S" as const,
    })),
    GlobalSecondaryIndexUpdates: [
      {
        Create: {
          IndexName: OWNER_INDEX,
          KeySchema: [
            { AttributeName: "leaseOwner", KeyType: "HASH" },
            { AttributeName: "leaseKey", KeyType: "RANGE" },
          ],
          Projection: { ProjectionType: "KEYS_ONLY" },
        },
      },
    ],
  });
  await until("the index", async () => {
    const described = await client.describeTable({ TableName: tableName }).catch(orNotYet);
    return described?.Table?.GlobalSecondaryIndexes?.[0]?.IndexStatus === "ACTIVE";
  });
}

/** DynamoDB Local now and then has no answer while it makes an index. */
function orNotYet(error: unknown): undefined {
  if (!(error instanceof Error && error.name === "InternalFailure")) throw error;
}

async function start(options: Partial<WorkerOptions> = {}): Promise<Worker> {
  const worker = new Worker({
    table: await openTable(tableName, proxy.url),
    fleet: fleetTables(await openClient(proxy.url), java.names, "test"),
    shards: shardsSideBySide(2),
    settings,
    ...options,
  });
  running.push(worker);
  return worker;
}

/**
 * A worker in a fleet with a leader and an index. The table has two leases, without owners by
 * default.
 */
async function startWithIndex(
  options: Partial<WorkerOptions> = {},
  owners: readonly string[] = ["java", "java"],
): Promise<Worker> {
  await makeIndex();
  await java.begin();
  for (const [i, shardId] of [first, second].entries()) {
    await java.put(leaseRow(shardId, owners[i]));
  }
  const worker = await start(options);
  await worker.untilEvent("discoveryChosen", ({ by }) => by === "index");
  return worker;
}

const count = (operation: string) => calls.filter((call) => call.operation === operation).length;
const take = (shardId: string, to: string) =>
  client.updateItem({
    TableName: tableName,
    Key: { leaseKey: { S: shardId } },
    UpdateExpression: "SET leaseOwner = :to REMOVE checkpointOwner ADD leaseCounter :one",
    ExpressionAttributeValues: { ":to": { S: to }, ":one": { N: "1" } },
  });
const looks = (more: number) => {
  const before = count("Query");
  return until(`${more} looks by the index`, async () => count("Query") >= before + more);
};

test("an assigned lease is found and taken without a scan", async () => {
  const worker = await startWithIndex();
  const scans = count("Scan");
  await take(first, worker.workerId);
  await worker.untilEvent("leaseTaken", ({ shardId }) => shardId === first);
  await looks(3);
  expect(worker.all("leaseTaken")).toMatchObject([{ shardId: first, how: "assigned" }]);
  expect(worker.held.size).toBe(1);
  expect(count("Scan")).toBe(scans);
  expect(worker.all("discoveryChosen")).toEqual([{ type: "discoveryChosen", by: "index" }]);
});

test("a lease that is still being handed over to us is not taken before its holder has released it", async () => {
  const worker = await startWithIndex();
  await java.beginHandover(first, "java", worker.workerId);
  const read = () =>
    calls.filter(({ operation, body }) => operation === "GetItem" && body.includes(first)).length;
  await until("the row to be read again and again", async () => read() >= 3);
  expect(worker.held.size).toBe(0);
  await take(first, worker.workerId);
  await worker.untilEvent("leaseTaken", ({ shardId }) => shardId === first);
});

test("the index alone decides nothing: the row may have another owner by now", async () => {
  const worker = await startWithIndex();
  const taken = new Promise<void>((resolve) => {
    fate = ({ operation, body }) => {
      if (operation !== "GetItem" || !body.includes(first)) return "pass";
      fate = () => "pass";
      return { until: take(first, "java").then(() => resolve()) };
    };
  });
  await take(first, worker.workerId);
  await taken;
  await looks(2);
  expect(worker.all("leaseTaken")).toEqual([]);
});

test("a handover that the leader starts is noticed although renewals fail", async () => {
  const worker = await startWithIndex();
  await take(first, worker.workerId);
  await worker.until(() => worker.held.size === 1);
  fate = ({ body }) => (RENEWAL.test(body) ? "throttle" : "pass");
  const scans = count("Scan");
  await java.beginHandover(first, worker.workerId, "java");
  await worker.untilEvent("handoverRequested");
  expect(count("Scan")).toBe(scans);
  fate = () => "pass";
  await worker.untilEvent("leaseReleased", ({ to }) => to === "java");
});

test("a child's consumer learns of its parent's end between scans", async () => {
  const [parent, child] = shardsSideBySide(2);
  if (!parent || !child) throw new Error("two shards are made");
  let begun = false;
  const worker = await startWithIndex({
    consume: async (lease) => {
      await parentsOf(lease);
      begun = true;
    },
  });
  await java.put({ ...leaseRow(child.shardId), parentShardId: { SS: [parent.shardId] } });
  await java.assign(child.shardId, worker.workerId);
  await worker.until(() => worker.held.size === 1);
  const scans = count("Scan");
  await looks(2);
  expect(begun).toBe(false);
  await java.put({ ...leaseRow(parent.shardId, "java"), checkpoint: { S: "SHARD_END" } });
  await until("the child to begin", async () => begun);
  expect(count("Scan")).toBe(scans);
});

test("leases of a dead worker are rescued, by scans that are made in time", async () => {
  const worker = await startWithIndex({
    settings: { failoverTimeMillis: 2_000, leaseAssignmentIntervalMillis: 2_000 },
  });
  const renew = setInterval(() => {
    for (const shardId of [first, second]) void take(shardId, "java").catch(() => undefined);
  }, 300);
  await looks(5);
  clearInterval(renew);
  expect(worker.all("leaseTaken")).toEqual([]);
  expect(count("Query")).toBeGreaterThan(count("Scan"));
  await worker.until(() => worker.held.size === 2);
  expect(worker.all("leaseTaken")).toMatchObject([{ how: "expired" }, { how: "expired" }]);
});

test("while the index is throttled scans take its place, and it is used again", async () => {
  const worker = await startWithIndex();
  const scans = count("Scan");
  fate = ({ operation }) => (operation === "Query" ? "throttle" : "pass");
  await take(first, worker.workerId);
  await worker.untilEvent("leaseTaken", ({ shardId }) => shardId === first);
  expect(count("Scan")).toBeGreaterThan(scans);
  expect(worker.all("serviceTrouble")[0]).toMatchObject({ operation: "Query" });
  fate = () => "pass";
  await worker.untilEvent("serviceRecovered", ({ operation }) => operation === "Query");
  expect(worker.all("discoveryChosen")).toHaveLength(1);
});

test("an index that may not be read is reported once, and leases are found by scans", async () => {
  await makeIndex();
  await java.begin();
  await java.put(leaseRow(first, "java"));
  fate = ({ operation }) => (operation === "Query" ? "deny" : "pass");
  const worker = await start(minutes);
  const { by, why } = await worker.untilEvent("discoveryChosen");
  expect(by).toBe("scan");
  expect(why).toMatch(new RegExp(`${OWNER_INDEX} cannot be used: .*Query.*AccessDenied`));
  await take(first, worker.workerId);
  await worker.untilEvent("leaseTaken", ({ shardId }) => shardId === first);
  await until("the index to be tried again and again", async () => count("Query") >= 3);
  expect(worker.all("discoveryChosen")).toHaveLength(1);
  expect(worker.all("serviceTrouble")).toEqual([]);
});

test("a missing index is reported, leases are found by scans, and the index is used once it exists", async () => {
  await java.begin();
  await java.put(leaseRow(first, "java"));
  const worker = await start(minutes);
  const { by, why } = await worker.untilEvent("discoveryChosen");
  expect({ by, why }).toEqual({
    by: "scan",
    why: `the index ${OWNER_INDEX} cannot be used: there is none`,
  });
  await take(first, worker.workerId);
  await worker.untilEvent("leaseTaken", ({ shardId }) => shardId === first);
  await makeIndex();
  await worker.untilEvent("discoveryChosen", (event) => event.by === "index");
});

/** An index that cannot be used is looked for again each half minute. */
const minutes = { clock: hurried(20), settings: { failoverTimeMillis: 120_000 } };

function hurried(times: number): Clock {
  return {
    now: () => systemClock.now(),
    monotonicMs: () => systemClock.monotonicMs() * times,
    sleep: (ms, signal) => systemClock.sleep(ms / times, signal),
  };
}
