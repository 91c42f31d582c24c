// Several workers on one table: they share leases, take them over, hand them back, and detect a
// second worker with the same id.

import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { HeldLease } from "../../src/leases/heldLease.ts";
import { UserError } from "../../src/model/errors.ts";
import { type Position, type SequenceNumber, SHARD_END } from "../../src/model/position.ts";
import type { Shard } from "../../src/model/shard.ts";
import { until } from "../support/emulators.ts";
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

/** Long enough that no lease is lost to a busy machine where none should be. */
const LONG = 20_000;
const HORIZON = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 } as const;
/** For tests in which a lease must run out. */
const SHORT = 1_500;
const running: Worker[] = [];
let proxy: DynamoProxy;

function start(options: WorkerOptions): Worker {
  const settings = { failoverTimeMillis: LONG, ...options.settings };
  const worker = new Worker({ ...options, settings });
  running.push(worker);
  return worker;
}

beforeEach(async () => {
  proxy = await DynamoProxy.start();
});

afterEach(async () => {
  await Promise.allSettled(running.splice(0).map((worker) => worker.kill()));
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
    second
      .all("leaseTaken")
      .every(({ how, from }) => how === "handedOver" && from === first.workerId),
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

test("a shard begins when its parent has ended at another worker, long before the next poll", async () => {
  const { tableName } = await openTable();
  const [parent] = shardsSideBySide(1) as [Shard];
  const children = shardsSideBySide(3)
    .slice(1)
    .map((shard) => ({ ...shard, parentShardIds: [parent.shardId] }));
  const begun: string[] = [];
  const elder: Worker = start({
    table: await openTable(tableName),
    shards: [parent],
    settings: { maxLeasesForWorker: 1 },
    consume: async (lease) => {
      await lease.addChildren(children);
      await younger.until(() => younger.held.size === 2);
      expect(begun).toEqual([]);
      await lease.checkpoint(SHARD_END);
    },
  });
  await elder.until(() => elder.held.size === 1);
  const younger: Worker = start({
    table: await openTable(tableName),
    consume: async (lease) => {
      await parentsOf(lease);
      begun.push(lease.shardId);
      await over(lease);
    },
  });
  await until("both children to begin", () => begun.length === 2);
});

test("a worker cut off from the table stops trusting its leases before another takes them", async () => {
  const { tableName } = await openTable();
  const shards = shardsSideBySide(2);
  const settings = { failoverTimeMillis: SHORT };
  const cutOff = start({ table: await openTable(tableName, proxy.url), shards, settings });
  await cutOff.until(() => cutOff.held.size === 2);
  const leases = [...cutOff.held.values()];
  proxy.fate = () => "cut";
  const heir = start({
    table: await openTable(tableName),
    shards,
    settings,
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
    settings: { failoverTimeMillis: SHORT },
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

test("lost responses, throttling and broken connections cost no lease", async () => {
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
    consume: async (lease) => {
      for (let i = 1; i <= 20; i++) expect(await lease.checkpoint(at(i))).toBe("stored");
      await over(lease);
    },
  });
  const stored = async () => (await table.scan(never)).leases.map((lease) => lease.checkpoint);
  const table = await openTable(tableName);
  await worker.until(() => worker.held.size === 3);
  await until("every checkpoint", async () => {
    return JSON.stringify(await stored()) === JSON.stringify([at(20), at(20), at(20)]);
  });
  expect(worker.all("leaseLost")).toEqual([]);
  expect(worker.all("serviceTrouble").length).toBeGreaterThan(0);
});

test("a second worker with the same id that starts later ends the first, which reports why", async () => {
  const table = await openTable();
  const shards = shardsSideBySide(2);
  const first = start({ table, shards, workerId: "twin" });
  await first.until(() => first.held.size === 2);
  const second = start({ table, shards, workerId: "twin" });
  await expect(first.ended).rejects.toThrow(UserError);
  await expect(first.ended).rejects.toThrow(/Another live process uses the workerId "twin"/);
  await second.until(() => second.held.size === 2);
});

test("another process that renews other leases under our id is detected by its renewals", async () => {
  const table = await openTable();
  const settings = { maxLeasesForWorker: 1 };
  const worker = start({ table, shards: shardsSideBySide(2), workerId: "twin", settings });
  await worker.until(() => worker.held.size === 1);
  const other = (await table.scan(never)).leases.find(({ shardId }) => !worker.held.has(shardId));
  if (!other) throw new Error("no other lease");
  await table.take(other, "twin", never);
  let ended = false;
  worker.ended.catch(() => {
    ended = true;
  });
  await until("the worker to end", async () => {
    const row = await table.read(other.shardId, never);
    if (row) await table.renew(row, never);
    return ended;
  });
  await expect(worker.ended).rejects.toThrow(/Another live process uses the workerId "twin"/);
});

test("two workers with one id that start together do not both stay", async () => {
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

test("leases of a worker that left are taken by those that stay, although they have their share", async () => {
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

function at(n: number): Position {
  return { sequenceNumber: String(n) as SequenceNumber, subSequenceNumber: 0 };
}

describe("a lease that another worker requested", () => {
  test("is not trusted by two workers at any moment, and the old owner checkpoints until the end", async () => {
    const { tableName } = await openTable();
    const shards = shardsSideBySide(2);
    let position = 100;
    const stored: string[] = [];
    const consume = async (lease: HeldLease) => {
      await over(lease);
      position += 1;
      const sequenceNumber = String(position) as SequenceNumber;
      stored.push(await lease.checkpoint({ sequenceNumber, subSequenceNumber: 0 }));
    };
    const first = start({ table: await openTable(tableName), shards, consume });
    await first.until(() => first.held.size === 2);
    const both: string[] = [];
    const second = start({ table: await openTable(tableName), shards });
    await second.until(() => {
      for (const shardId of second.held.keys()) {
        if (first.held.get(shardId)?.trusted) both.push(shardId);
      }
      return second.held.size === 1;
    });
    expect(both).toEqual([]);
    expect(stored).toEqual(["stored"]);
    expect(first.all("leaseLost")).toEqual([]);
    expect(first.all("leaseReleased")).toMatchObject([{ to: second.workerId }]);
  });

  test("is released by the requester if that was asked to stop meanwhile", async () => {
    const { tableName } = await openTable();
    const shards = shardsSideBySide(2);
    const first = start({ table: await openTable(tableName), shards });
    await first.until(() => first.held.size === 2);
    let letThrough = () => {};
    let updates = 0;
    const until = new Promise<void>((resolve) => {
      letThrough = resolve;
    });
    const takes = new Promise<void>((resolve) => {
      proxy.fate = ({ operation }) => {
        // The first asks for the lease, the second takes it.
        if (operation !== "UpdateItem" || ++updates !== 2) return "pass";
        resolve();
        return { until };
      };
    });
    const second = start({ table: await openTable(tableName, proxy.url), shards });
    await takes;
    const stopped = second.stop();
    letThrough();
    await stopped;
    expect(second.all("leaseTaken")).toHaveLength(1);
    expect(second.all("leaseReleased")).toHaveLength(1);
  });

  test("is taken again at once when the requester has gone", async () => {
    const { tableName } = await openTable();
    const shards = shardsSideBySide(2);
    // Longer than this test may take.
    const settings = { failoverTimeMillis: 300_000 };
    let finish = () => {};
    const slow = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const consume = async (lease: HeldLease) => {
      await over(lease);
      await slow;
    };
    const first = start({ table: await openTable(tableName), shards, settings, consume });
    await first.until(() => first.held.size === 2);
    // The requester stops while it checks whether the lease was handed to it.
    const looks = new Promise<void>((resolve) => {
      proxy.fate = ({ operation }) => {
        if (operation !== "GetItem") return "pass";
        resolve();
        return { until: slow };
      };
    });
    const second = start({ table: await openTable(tableName, proxy.url), shards, settings });
    await first.untilEvent("handoverRequested");
    await looks;
    await second.stop();
    finish();
    await first.until(() => first.all("leaseTaken").length === 3);
  });

  test("is released by a requester that did not learn that it received the lease", async () => {
    const { tableName } = await openTable();
    const shards = shardsSideBySide(2);
    const first = start({ table: await openTable(tableName), shards });
    await first.until(() => first.held.size === 2);
    const given = first.untilEvent("leaseReleased");
    const looks = new Promise<void>((resolve) => {
      proxy.fate = ({ operation }) => {
        if (operation !== "GetItem") return "pass";
        resolve();
        return { until: given };
      };
    });
    const second = start({ table: await openTable(tableName, proxy.url), shards });
    await looks;
    await given;
    proxy.fate = () => "pass";
    await second.stop();
    const rows = (await (await openTable(tableName)).scan(never)).leases;
    expect(rows.filter(({ owner }) => owner === second.workerId)).toEqual([]);
  });

  test("is taken from a worker that renews but ignores the request, as one of KCL 2.x does", async () => {
    const { tableName } = await openTable();
    const table = await openTable(tableName);
    const shards = shardsSideBySide(2);
    await table.ensure(never);
    for (const { shardId } of shards) {
      await table.create({ shardId, checkpoint: HORIZON, parentShardIds: [] }, never);
    }
    const client = await openClient();
    const renew = (shardId: string) =>
      client.updateItem({
        TableName: tableName,
        Key: { leaseKey: { S: shardId } },
        UpdateExpression: "SET leaseOwner = :o ADD leaseCounter :one",
        ConditionExpression: "attribute_not_exists(leaseOwner) OR leaseOwner = :o",
        ExpressionAttributeValues: { ":o": { S: "java" }, ":one": { N: "1" } },
      });
    const held = new Set(shards.map(({ shardId }) => shardId));
    const beat = async () => {
      for (const shardId of held) await renew(shardId).catch(() => held.delete(shardId));
    };
    await beat();
    const timer = setInterval(() => void beat(), 200);
    onTestFinished(() => clearInterval(timer));
    const second = start({ table, shards });
    await second.untilEvent("leaseTaken", ({ how, from }) => how === "stolen" && from === "java");
    await until("the other to have noticed", () => held.size === 1);
  });

  test("is lost in time by a consumer that does not finish", async () => {
    const { tableName } = await openTable();
    const shards = shardsSideBySide(2);
    const settings = { gracefulLeaseHandoffTimeoutMillis: 300, failoverTimeMillis: LONG };
    const hangs = (lease: HeldLease) =>
      new Promise<void>((resolve) => {
        lease.lost.addEventListener("abort", () => resolve(), { once: true });
      });
    const first = start({ table: await openTable(tableName), shards, settings, consume: hangs });
    await first.until(() => first.held.size === 2);
    const second = start({ table: await openTable(tableName), shards, settings });
    await second.untilEvent("leaseTaken", ({ how }) => how === "handedOver");
    const [lost] = await Promise.all([first.untilEvent("leaseLost")]);
    expect(lost.reason).toMatch(`worker "${second.workerId}" waits for it`);
  });

  test("goes to the worker that the leader of a KCL 3.x fleet names", async () => {
    const { tableName } = await openTable();
    const shards = shardsSideBySide(1);
    const first = start({ table: await openTable(tableName), shards });
    await first.until(() => first.held.size === 1);
    const client = await openClient();
    const shardId = shards[0]?.shardId ?? "";
    await client.updateItem({
      TableName: tableName,
      Key: { leaseKey: { S: shardId } },
      UpdateExpression: "SET leaseOwner = :to, checkpointOwner = :by",
      ConditionExpression: "leaseOwner = :by AND attribute_not_exists(checkpointOwner)",
      ExpressionAttributeValues: { ":to": { S: "java" }, ":by": { S: first.workerId } },
    });
    await first.untilEvent("leaseReleased", ({ to }) => to === "java");
    const row = await (await openTable(tableName)).read(shardId, never);
    expect(row).toMatchObject({ owner: "java" });
    expect(row).not.toHaveProperty("checkpointOwner");
    expect(first.all("leaseLost")).toEqual([]);
  });
});
