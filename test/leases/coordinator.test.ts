// Workers on a real table: alone, together, in succession.

import { afterEach, expect, test } from "vitest";
import { SHARD_END } from "../../src/model/position.ts";
import type { Shard } from "../../src/model/shard.ts";
import { leaseItems } from "../support/emulators.ts";
import { never, openTable, over, shardsSideBySide, Worker, type WorkerOptions } from "./fleet.ts";

const running: Worker[] = [];

function start(options: WorkerOptions): Worker {
  const worker = new Worker(options);
  running.push(worker);
  return worker;
}

afterEach(async () => {
  await Promise.allSettled(running.splice(0).map((worker) => worker.stop()));
});

test("a lone worker on a new application makes the table and its leases, and takes them all at once", async () => {
  const table = await openTable();
  const worker = start({ table, shards: shardsSideBySide(4) });
  await worker.until(() => worker.held.size === 4);
  expect(worker.all("leaseTableCreated")).toHaveLength(1);
  expect(worker.all("leaseCreated")).toHaveLength(4);
  expect(worker.all("leaseTaken").map(({ how }) => how)).toEqual(Array(4).fill("unowned"));
});

test("a stop asks consumers to finish, releases their leases and only then returns", async () => {
  const table = await openTable();
  const finished: string[] = [];
  const worker = start({
    table,
    shards: shardsSideBySide(2),
    consume: async (lease) => {
      await over(lease);
      expect(lease.stopRequested.aborted).toBe(true);
      expect(lease.trusted).toBe(true);
      expect(await lease.checkpoint(at("7"))).toBe("stored");
      finished.push(lease.shardId);
    },
  });
  await worker.until(() => worker.held.size === 2);
  await worker.stop();
  expect(finished.sort()).toEqual(["shardId-000000000000", "shardId-000000000001"]);
  for (const lease of (await table.scan(never)).leases) {
    expect(lease).toMatchObject({ checkpoint: at("7"), counter: 3 });
    expect(lease.owner).toBeUndefined();
  }
});

test("a finished shard's children get leases before its end is stored, and start when it is", async () => {
  const table = await openTable();
  const [parent] = shardsSideBySide(1);
  const children = shardsSideBySide(3)
    .slice(1, 3)
    .map((shard) => ({ ...shard, parentShardIds: [parent?.shardId ?? ""] }));
  const order: string[] = [];
  const worker = start({
    table,
    shards: [parent as Shard],
    settings: { initialPosition: { type: "TRIM_HORIZON" } },
    consume: async (lease) => {
      while (!(await lease.parentsEnded())) await lease.parentsChanged(600_000);
      order.push(lease.shardId);
      if (lease.shardId !== parent?.shardId) return over(lease);
      expect(await lease.addChildren(children)).toBe("added");
      const rows = await leaseItems(table.tableName);
      expect(rows.get(children[0]?.shardId ?? "")?.["checkpoint"]).toBe("TRIM_HORIZON");
      // The children are held, and wait, while their parent has not ended.
      await worker.until(() => worker.held.size === 3);
      expect(order).toEqual([parent.shardId]);
      expect(await lease.checkpoint(SHARD_END)).toBe("stored");
    },
  });
  await worker.until(() => order.length === 3);
  const rows = await leaseItems(table.tableName);
  expect(rows.get(parent?.shardId ?? "")).toMatchObject({
    checkpoint: "SHARD_END",
    childShardIds: JSON.stringify(children.map((child) => child.shardId)),
  });
});

function at(sequenceNumber: string) {
  return { sequenceNumber: sequenceNumber as never, subSequenceNumber: 0 };
}
