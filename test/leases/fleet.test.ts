// Several workers on one table: they share, take over, hand back, and notice a double.

import { afterEach, beforeEach, expect, test } from "vitest";
import { UserError } from "../../src/model/errors.ts";
import { never, openTable, over, shardsSideBySide, Worker, type WorkerOptions } from "./fleet.ts";
import { DynamoProxy } from "./proxy.ts";

const F = 1_500;
const running: Worker[] = [];
let proxy: DynamoProxy;

function start(options: WorkerOptions): Worker {
  const settings = { failoverTimeMillis: F, ...options.settings };
  const worker = new Worker({ ...options, settings });
  running.push(worker);
  return worker;
}

beforeEach(async () => {
  proxy = await DynamoProxy.start();
});

afterEach(async () => {
  await Promise.allSettled(running.splice(0).map((worker) => worker.stop()));
  await proxy.stop();
});

test("a worker that joins gets its share, and one that leaves hands it back at once", async () => {
  const table = await openTable();
  const shards = shardsSideBySide(6);
  const first = start({ table, shards });
  await first.until(() => first.held.size === 6);
  const second = start({ table, shards });
  await second.until(() => second.held.size === 3);
  await first.until(() => first.held.size === 3);
  expect(
    second.all("leaseTaken").every(({ how, from }) => how === "stolen" && from === first.workerId),
  ).toBe(true);

  await second.stop();
  await first.until(() => first.held.size === 6);
  expect(
    first
      .all("leaseTaken")
      .slice(6)
      .map(({ how }) => how),
  ).toEqual(Array(3).fill("unowned"));
});

test("three workers that start together on a new application end up within one of each other", async () => {
  const shards = shardsSideBySide(10);
  const { tableName } = await openTable();
  const workers = await Promise.all(
    [1, 2, 3].map(async () => start({ table: await openTable(tableName), shards })),
  );
  const balanced = () => {
    const sizes = workers.map((worker) => worker.held.size).sort();
    return sizes.join() === "3,3,4";
  };
  await Promise.race(workers.map((worker) => worker.until(balanced)));
  const created = workers.flatMap((worker) => worker.all("leaseCreated"));
  expect(created).toHaveLength(10);
});

test("a worker cut off from the table stops trusting its leases before another takes them", async () => {
  const { tableName } = await openTable();
  const shards = shardsSideBySide(2);
  const cutOff = start({ table: await openTable(tableName, proxy.url), shards });
  await cutOff.until(() => cutOff.held.size === 2);
  const leases = [...cutOff.held.values()];
  proxy.fate = () => "cut";
  const heir = start({
    table: await openTable(tableName),
    shards,
    settings: { maxLeasesToStealAtOneTime: 1 },
    consume: async (lease) => {
      const before = leases.find((each) => each.shardId === lease.shardId);
      if (
        heir
          .all("leaseTaken")
          .some((taken) => taken.shardId === lease.shardId && taken.how === "expired")
      ) {
        expect(before?.trusted).toBe(false);
      }
      await over(lease);
    },
  });
  await heir.until(() => heir.held.size === 2);
  expect(heir.all("leaseTaken").some(({ how }) => how === "expired")).toBe(true);
  await cutOff.until(() => cutOff.all("leaseLost").length === 2);
  expect(cutOff.all("serviceTrouble").length).toBeGreaterThan(0);

  // When it can see the table again it takes its share again.
  proxy.fate = () => "pass";
  await cutOff.until(() => cutOff.held.size === 1);
});

test("a lone worker that was cut off for longer than its leases resumes them", async () => {
  const { tableName } = await openTable();
  const worker = start({
    table: await openTable(tableName, proxy.url),
    shards: shardsSideBySide(2),
  });
  await worker.until(() => worker.held.size === 2);
  proxy.fate = () => "cut";
  await worker.until(() => worker.all("leaseLost").length === 2 && worker.held.size === 0);
  proxy.fate = () => "pass";
  await worker.until(() => worker.held.size === 2);
  expect(
    worker
      .all("leaseTaken")
      .slice(2)
      .map(({ how }) => how),
  ).toEqual(["resumed", "resumed"]);
});

test("lost answers, throttling and broken connections cost no lease", async () => {
  const { tableName } = await openTable();
  const fates = ["pass", "loseAnswer", "pass", "throttle", "pass", "cut"] as const;
  const calls = new Map<string, number>();
  proxy.fate = ({ operation, body }) => {
    if (operation !== "UpdateItem") return "pass";
    const shardId = /shardId-\d+/.exec(body)?.[0] ?? "";
    calls.set(shardId, (calls.get(shardId) ?? 0) + 1);
    return fates[(calls.get(shardId) ?? 0) % fates.length] ?? "pass";
  };
  const worker = start({
    table: await openTable(tableName, proxy.url),
    shards: shardsSideBySide(3),
  });
  await worker.until(() => worker.all("leaseRenewed").length >= 20 && worker.held.size === 3);
  expect(worker.all("leaseLost")).toEqual([]);
});

test("a second worker of the same name that starts later ends the first, and says why", async () => {
  const table = await openTable();
  const shards = shardsSideBySide(2);
  const first = start({ table, shards, workerId: "twin" });
  await first.until(() => first.held.size === 2);
  const second = start({ table, shards, workerId: "twin" });
  await expect(first.ended).rejects.toThrow(UserError);
  await expect(first.ended).rejects.toThrow(/Another live process uses the workerId "twin"/);
  await second.until(() => second.held.size === 2);
});

test("two workers of one name that start together do not both stay", async () => {
  const { tableName } = await openTable();
  const shards = shardsSideBySide(8);
  const options = { shards, workerId: "twin", settings: { failoverTimeMillis: 600 } };
  const twins = await Promise.all(
    [1, 2].map(async () => start({ ...options, table: await openTable(tableName) })),
  );
  const outcome = await Promise.race(
    twins.map((twin) =>
      twin.ended.then(
        () => undefined,
        (error: unknown) => error,
      ),
    ),
  );
  expect(outcome).toBeInstanceOf(UserError);
});

test("leases of a worker that left are taken by those that stay, though they have their share", async () => {
  const table = await openTable();
  const shards = shardsSideBySide(4);
  let letGo = () => {};
  const slow = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const leaving: Worker = start({
    table,
    shards,
    consume: async (lease) => {
      await over(lease);
      // One of its consumers takes very long to finish: the others' leases must not wait for it.
      if (lease.shardId === [...leaving.held.keys()].sort()[0]) await slow;
    },
  });
  await leaving.until(() => leaving.held.size === 4);
  const staying = start({ table, shards });
  await staying.until(() => staying.held.size === 2);
  const stopped = leaving.stop();
  await staying.until(() => staying.held.size === 3);
  letGo();
  await stopped;
  await staying.until(() => staying.held.size === 4);
  expect((await table.scan(never)).leases.every((lease) => lease.owner === staying.workerId)).toBe(
    true,
  );
});
