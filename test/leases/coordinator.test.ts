// One worker on a real table: start, work, the end of a shard, and every way to stop.

import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { UserError } from "../../src/model/errors.ts";
import { SHARD_END } from "../../src/model/position.ts";
import type { Shard, ShardFilter } from "../../src/model/shard.ts";
import { leaseItems, until } from "../support/emulators.ts";
import { ClockByHand } from "./clockByHand.ts";
import {
  never,
  openClient,
  openTable,
  over,
  parentsOf,
  shardsSideBySide,
  Worker,
  type WorkerOptions,
} from "./fleet.ts";
import { DynamoProxy } from "./proxy.ts";

const running: Worker[] = [];

function start(options: WorkerOptions): Worker {
  const worker = new Worker(options);
  running.push(worker);
  return worker;
}

afterEach(async () => {
  await Promise.allSettled(running.splice(0).map((worker) => worker.kill()));
});

describe("a start", () => {
  test("on a new application creates the table and its leases, and takes all of them at once", async () => {
    const table = await openTable();
    const worker = start({ table, shards: shardsSideBySide(4) });
    await worker.until(() => worker.held.size === 4);
    expect(worker.all("leaseTableCreated")).toHaveLength(1);
    expect(worker.all("leaseCreated")).toHaveLength(4);
    expect(worker.all("leaseTaken").map(({ how }) => how)).toEqual(Array(4).fill("unowned"));
  });

  test("asks for the shards at the initial position", async () => {
    const asked: ShardFilter[] = [];
    const timestamp = new Date(1_000);
    const table = await openTable();
    const worker = start({
      table,
      settings: { initialPosition: { type: "AT_TIMESTAMP", timestamp } },
      listShards: async (filter) => {
        asked.push(filter);
        return shardsSideBySide(1);
      },
    });
    await worker.until(() => worker.held.size === 1);
    expect(asked).toEqual([{ type: "AT_TIMESTAMP", timestamp }]);
    const [lease] = (await table.scan(never)).leases;
    expect(lease?.checkpoint.sequenceNumber).toBe("AT_TIMESTAMP");
  });

  test("under a worker id used before resumes its leases at once", async () => {
    const table = await openTable();
    const shards = shardsSideBySide(2);
    await table.ensure(never);
    for (const { shardId } of shards) {
      const checkpoint = { sequenceNumber: "LATEST", subSequenceNumber: 0 } as const;
      await table.create({ shardId, checkpoint, parentShardIds: [] }, never);
    }
    // A worker that died without releasing its lease.
    for (const lease of (await table.scan(never)).leases) await table.take(lease, "stable", never);
    const settings = { failoverTimeMillis: 600_000 };
    const worker = start({ table, workerId: "stable", settings });
    await worker.until(() => worker.held.size === 2);
    expect(worker.all("leaseTaken").map(({ how }) => how)).toEqual(["resumed", "resumed"]);
  });

  test("on a missing stream rejects with the error of the listing", async () => {
    const missing = new UserError('The stream "words" does not exist.');
    const worker = start({ table: await openTable(), listShards: () => Promise.reject(missing) });
    await expect(worker.ended).rejects.toBe(missing);
  });

  test("retries while the listing fails for other reasons, and reports it", async () => {
    let failures = 3;
    const worker = start({
      table: await openTable(),
      listShards: async () => {
        if (failures-- > 0) throw new Error("socket hang up");
        return shardsSideBySide(1);
      },
    });
    await worker.until(() => worker.held.size === 1);
    expect(worker.all("serviceTrouble").map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(worker.all("serviceRecovered")).toEqual([
      {
        type: "serviceRecovered",
        service: "kinesis",
        operation: "ListShards",
        scope: "ListShards",
        attempts: 3,
      },
    ]);
  });

  test("at an unreachable endpoint warns, keeps trying and can be stopped", async () => {
    const worker = start({ table: await openTable("any", "http://127.0.0.1:1") });
    await worker.untilEvent("serviceTrouble", ({ attempt }) => attempt === 4);
    expect(worker.all("serviceTrouble").map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
    await worker.stop();
  });

  test("on a table of another application is refused", async () => {
    const table = await openTable();
    await table.ensure(never);
    const Item = { leaseKey: { S: "order-1" }, price: { N: "3" } };
    await (await openClient()).putItem({ TableName: table.tableName, Item });
    const worker = start({ table, shards: shardsSideBySide(1) });
    await expect(worker.ended).rejects.toThrow(UserError);
    await expect(worker.ended).rejects.toThrow(/order-1.*not the row of a lease/);
  });
});

test("a finished shard's children get leases before its end is stored, and start when it is", async () => {
  const table = await openTable();
  const [parent, ...children] = family();
  const order: string[] = [];
  const worker: Worker = start({
    table,
    shards: [parent],
    settings: { initialPosition: { type: "TRIM_HORIZON" } },
    consume: async (lease) => {
      await parentsOf(lease);
      order.push(lease.shardId);
      if (lease.shardId !== parent.shardId) return over(lease);
      expect(await lease.addChildren(children)).toBe("added");
      const rows = await leaseItems(table.tableName);
      expect(rows.get(children[0].shardId)?.["checkpoint"]).toBe("TRIM_HORIZON");
      // The children are held, and wait, while their parent has not ended.
      await worker.until(() => worker.held.size === 3);
      expect(order).toEqual([parent.shardId]);
      expect(await lease.checkpoint(SHARD_END)).toBe("stored");
    },
  });
  await worker.until(() => order.length === 3);
  await worker.untilEvent("leaseReleased", ({ shardId }) => shardId === parent.shardId);
  const rows = await leaseItems(table.tableName);
  expect(rows.get(parent.shardId)).toMatchObject({
    checkpoint: "SHARD_END",
    childShardIds: JSON.stringify(children.map((child) => child.shardId)),
  });
  expect(worker.all("leaseTaken")).toHaveLength(3);
});

describe("without waiting", () => {
  /** A worker whose clock stands still from the moment on that it holds its leases. */
  async function standStill(options: Omit<WorkerOptions, "clock" | "table">, count: number) {
    const clock = new ClockByHand();
    const table = await openTable();
    const settings = { failoverTimeMillis: 20_000 };
    const worker = start({ settings, ...options, table, clock });
    await until("the leases", () => {
      // Only the pause after the first scan of an empty table has to pass.
      if (worker.held.size < count) clock.advance(1);
      return worker.held.size === count;
    });
    return { worker, table, clock };
  }

  test("children are held as soon as they are made, and begin as soon as their parent has ended", async () => {
    const [parent, ...children] = family();
    const begun: string[] = [];
    const { worker } = await standStill(
      {
        shards: [parent],
        consume: async (lease) => {
          await parentsOf(lease);
          begun.push(lease.shardId);
          await over(lease);
        },
      },
      1,
    );
    const held = worker.held.get(parent.shardId);
    await held?.addChildren(children);
    await worker.until(() => worker.held.size === 3);
    expect(begun).toEqual([parent.shardId]);
    expect(await held?.checkpoint(SHARD_END)).toBe("stored");
    await until("the children to begin", () => begun.length === 3);
  });

  test("a lease that another worker took is lost with the next scan, before its renewal is due", async () => {
    const { worker, table, clock } = await standStill({ shards: shardsSideBySide(1) }, 1);
    const [row] = (await table.scan(never)).leases;
    if (row) await table.take(row, "peer", never);
    clock.advance(1_000);
    await worker.untilEvent("leaseLost");
  });

  test("a duplicate worker is detected with the next scan, before a renewal is due", async () => {
    const { worker, table, clock } = await standStill({ shards: shardsSideBySide(1) }, 1);
    const [row] = (await table.scan(never)).leases;
    if (row) await table.renew(row, never);
    clock.advance(1_000);
    await expect(worker.ended).rejects.toThrow(/Another live process/);
  });
});

test("housekeeping deletes a finished lease when its children have checkpoints", async () => {
  const table = await openTable();
  const [parent, ...children] = family();
  const worker = start({
    table,
    shards: [parent],
    settings: { cleanupIntervalMs: 20 },
    consume: async (lease) => {
      if (lease.shardId === parent.shardId) {
        await lease.addChildren(children);
        await lease.checkpoint(SHARD_END);
      } else {
        await lease.checkpoint(at("5"));
        await over(lease);
      }
    },
  });
  const gone = await worker.untilEvent("leaseDeleted");
  expect(gone.shardId).toBe(parent.shardId);
  expect(await table.read(parent.shardId, never)).toBeUndefined();
});

test("housekeeping fills a hole that it has seen often enough, and notes hash keys that rows lack", async () => {
  const table = await openTable();
  const [first, second] = shardsSideBySide(2) as [Shard, Shard];
  await table.ensure(never);
  const checkpoint = { sequenceNumber: "LATEST", subSequenceNumber: 0 } as const;
  await table.create({ shardId: first.shardId, checkpoint, parentShardIds: [] }, never);
  const worker = start({
    table,
    shards: [first, second],
    settings: { auditIntervalMs: 20, auditConfidence: 3 },
  });
  await worker.until(() => worker.held.size === 2);
  expect(await table.read(first.shardId, never)).toMatchObject({
    hashKeyRange: first.hashKeyRange,
  });
});

test("an empty table is left to the worker that created the oldest shard's lease, unless it stops", async () => {
  const table = await openTable();
  const shards = shardsSideBySide(3);
  const [oldest] = shards as [Shard];
  let listed = 0;
  const worker = start({
    table,
    settings: { failoverTimeMillis: 400 },
    listShards: async (filter) => {
      // An audit, which may come first on a slow machine, asks for all.
      if (filter) listed++;
      const checkpoint = { sequenceNumber: "LATEST", subSequenceNumber: 0 } as const;
      await table.create({ ...oldest, checkpoint }, never);
      return shards;
    },
  });
  await worker.until(() => worker.held.has(oldest.shardId));
  expect(worker.all("leaseCreated")).toEqual([]);
  await worker.until(() => worker.held.size === shards.length);
  expect(worker.all("leaseCreated").map(({ shardId }) => shardId)).toEqual(
    shards.slice(1).map(({ shardId }) => shardId),
  );
  expect(listed).toBe(1);
});

test("a table whose first worker died while filling it is filled by a later worker", async () => {
  const shards = shardsSideBySide(6);
  const proxy = await DynamoProxy.start();
  const { tableName } = await openTable();
  let made = 0;
  const dies = new Promise<void>((resolve) => {
    proxy.fate = ({ operation }) => {
      if (operation !== "PutItem" || ++made <= 3) return "pass";
      resolve();
      return "cut";
    };
  });
  const filler = start({ table: await openTable(tableName, proxy.url), shards });
  await dies;
  // Those that were let through may still be on their way.
  const table = await openTable(tableName);
  await until("three leases", async () => (await table.scan(never)).leases.length === 3);
  await filler.kill();
  await proxy.stop();
  const before = (await table.scan(never)).leases.map(({ shardId }) => shardId);
  expect(before).toHaveLength(3);
  const later = start({ table, shards });
  await later.until(() => later.held.size === shards.length);
  const created = later.all("leaseCreated").map(({ shardId }) => shardId);
  expect([...before, ...created].toSorted()).toEqual(shards.map(({ shardId }) => shardId));
});

describe("a stop", () => {
  test("asks consumers to finish, releases their leases and only then returns", async () => {
    const table = await openTable();
    const finished: string[] = [];
    const worker = start({
      table,
      shards: shardsSideBySide(2),
      consume: async (lease) => {
        await over(lease);
        expect(lease.lost.aborted).toBe(false);
        expect(lease.trusted).toBe(true);
        expect(await lease.checkpoint(at("7"))).toBe("stored");
        finished.push(lease.shardId);
      },
    });
    await worker.until(() => worker.held.size === 2);
    await worker.stop();
    expect(finished.sort()).toEqual(["shardId-000000000000", "shardId-000000000001"]);
    for (const lease of (await table.scan(never)).leases) {
      expect(lease).toMatchObject({ checkpoint: at("7") });
      expect(lease.owner).toBeUndefined();
    }
  });

  test("keeps renewing the lease of a consumer that finishes slowly", async () => {
    const table = await openTable();
    let letGo = () => {};
    const slow = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const clock = new ClockByHand();
    const worker = start({ table, shards: shardsSideBySide(1), clock, consume: () => slow });
    await until("the lease", () => {
      clock.advance(10);
      return worker.held.size === 1;
    });
    const stopped = worker.stop();
    // More renewals than a lease lasts.
    for (let renewals = 1; renewals <= 6; renewals++) {
      clock.advance(700);
      await worker.until(() => worker.all("leaseRenewed").length >= renewals);
    }
    expect([...worker.held.values()].every((lease) => lease.trusted)).toBe(true);
    letGo();
    await stopped;
    expect(worker.all("leaseReleased")).toHaveLength(1);
    expect(worker.all("leaseLost")).toHaveLength(0);
  });

  test("that must be immediate waits for no consumer, but releases the leases", async () => {
    const table = await openTable();
    const worker = start({
      table,
      shards: shardsSideBySide(2),
      consume: () => new Promise(() => {}),
    });
    await worker.until(() => worker.held.size === 2);
    const leases = [...worker.held.values()];
    await worker.kill();
    expect(leases.every((lease) => lease.lost.aborted)).toBe(true);
    expect(await leases[0]?.checkpoint(at("7"))).toBe("lost");
    expect((await table.scan(never)).leases.map((lease) => lease.owner)).toEqual([
      undefined,
      undefined,
    ]);
  });

  test("that must be immediate is not delayed by a table that does not respond", async () => {
    const proxy = await DynamoProxy.start();
    const { tableName } = await openTable();
    const table = await openTable(tableName, proxy.url);
    const worker = start({
      table,
      shards: shardsSideBySide(1),
      consume: () => new Promise(() => {}),
    });
    await worker.until(() => worker.held.size === 1);
    proxy.fate = () => ({ until: new Promise(() => {}) });
    await worker.kill();
    await proxy.stop();
  });

  test("follows when a consumer fails: the others finish, and the failure is what run rejects with", async () => {
    const table = await openTable();
    const broken = new Error("the child of shard 1 exited with code 3");
    const others: string[] = [];
    const worker: Worker = start({
      table,
      shards: shardsSideBySide(3),
      consume: async (lease) => {
        await worker.until(() => worker.held.size === 3);
        if (lease.shardId.endsWith("1")) throw broken;
        await over(lease);
        others.push(lease.shardId);
      },
    });
    await expect(worker.ended).rejects.toBe(broken);
    expect(others).toHaveLength(2);
    expect(worker.all("leaseReleased")).toHaveLength(3);
  });

  test("follows when the table is deleted", async () => {
    const table = await openTable();
    const worker = start({ table, shards: shardsSideBySide(1) });
    await worker.until(() => worker.held.size === 1);
    await (await openClient()).deleteTable({ TableName: table.tableName });
    await expect(worker.ended).rejects.toThrow(/deleted while this program ran/);
  });

  test("before the start is over ends it too", async () => {
    const worker = start({ table: await openTable(), listShards: () => new Promise(() => {}) });
    await worker.untilEvent("leaseTableCreated");
    const stopped = worker.kill();
    await stopped;
  });
});

test("a consumer that returns without cause does not get its shard back at once", async () => {
  const table = await openTable();
  let calls = 0;
  const worker = start({
    table,
    shards: shardsSideBySide(1),
    settings: { failoverTimeMillis: 600_000 },
    consume: async () => {
      calls++;
    },
  });
  await worker.untilEvent("leaseReleased");
  // Others appear: by the time the last one is taken, whole passes have left the first alone.
  const [first, ...others] = shardsSideBySide(4);
  for (const other of others) {
    await table.create({ ...other, checkpoint: at("1") }, never);
    await worker.untilEvent("leaseReleased", ({ shardId }) => shardId === other.shardId);
  }
  expect(calls).toBe(4);
  const taken = worker.all("leaseTaken").filter(({ shardId }) => shardId === first?.shardId);
  expect(taken).toHaveLength(1);
});

test("a lease row that is damaged while the worker runs stops only that shard", async () => {
  const table = await openTable();
  const shards = shardsSideBySide(2);
  const worker = start({ table, shards, settings: { failoverTimeMillis: 3_000 } });
  await worker.until(() => worker.held.size === 2);
  const damaged = shards[0]?.shardId ?? "";
  await (await openClient()).updateItem({
    TableName: table.tableName,
    Key: { leaseKey: { S: damaged } },
    UpdateExpression: "SET leaseCounter = :x",
    ExpressionAttributeValues: { ":x": { S: "not a number" } },
  });
  await worker.untilEvent("leaseLost", ({ shardId }) => shardId === damaged);
  await worker.untilEvent("leasesContradicted", ({ shardIds }) => shardIds.includes(damaged));
  const renewals = worker.all("leaseRenewed").length;
  await worker.until(() => worker.all("leaseRenewed").length > renewals);
  expect([...worker.held.keys()]).toEqual([shards[1]?.shardId]);
});

function family(): [Shard, Shard, Shard] {
  const [parent] = shardsSideBySide(1) as [Shard];
  const [, left, right] = shardsSideBySide(3) as [Shard, Shard, Shard];
  const parentShardIds = [parent.shardId];
  return [parent, { ...left, parentShardIds }, { ...right, parentShardIds }];
}

function at(sequenceNumber: string) {
  return { sequenceNumber: sequenceNumber as never, subSequenceNumber: 0 };
}

test("a lease that expired before it could be released is not reported as a recovery", async () => {
  const proxy = await DynamoProxy.start();
  onTestFinished(() => proxy.stop());
  const table = await openTable(undefined, proxy.url);
  const settings = { failoverTimeMillis: 1_000 };
  const worker = start({ table, shards: shardsSideBySide(1), settings });
  await worker.until(() => worker.held.size === 1);
  proxy.fate = ({ operation }) => (operation === "UpdateItem" ? "throttle" : "pass");
  await worker.stop();
  expect(worker.all("serviceTrouble").map(({ operation }) => operation)).toContain("release");
  expect(worker.all("serviceRecovered").filter((each) => each.operation === "release")).toEqual([]);
});
