// Rows and conditional writes as DynamoDB sees them. The shapes expected here are those of rows
// that KCL 2.x writes.

import type { AttributeValue, DynamoDB } from "@aws-sdk/client-dynamodb";
import { beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { Lease } from "../../src/leases/lease.ts";
import { segmentsFor } from "../../src/leases/table/dynamoScan.ts";
import { dynamoLeaseTable } from "../../src/leases/table/dynamoTable.ts";
import type { LeaseTable } from "../../src/leases/table.ts";
import { UserError } from "../../src/model/errors.ts";
import { uniqueName } from "../support/emulators.ts";
import { never, openClient, openTable, shardsSideBySide } from "./fleet.ts";
import { DynamoProxy } from "./proxy.ts";

const AT = { sequenceNumber: "4959" as never, subSequenceNumber: 3 };
const RANGE = { startingHashKey: "0", endingHashKey: "340282366920938463463374607431768211455" };

let client: DynamoDB;
let table: LeaseTable;

beforeAll(async () => {
  client = await openClient();
  table = await openTable();
  await table.ensure(never);
});

describe("the table", () => {
  test("is created with one string key and on-demand billing", async () => {
    const { Table } = await client.describeTable({ TableName: table.tableName });
    expect(Table).toMatchObject({
      KeySchema: [{ AttributeName: "leaseKey", KeyType: "HASH" }],
      AttributeDefinitions: [{ AttributeName: "leaseKey", AttributeType: "S" }],
      BillingModeSummary: { BillingMode: "PAY_PER_REQUEST" },
      TableStatus: "ACTIVE",
    });
  });

  test("is created once, by the first worker", async () => {
    const name = uniqueName("leases");
    const peers = await Promise.all([openTable(name), openTable(name), openTable(name)]);
    const outcomes = await Promise.all(peers.map((peer) => peer.ensure(never)));
    expect(outcomes.sort()).toEqual(["created", "existed", "existed"]);
    await expect(peers[0]?.ensure(never)).resolves.toBe("existed");
  });

  test.each([
    ["another key", [{ AttributeName: "id", KeyType: "HASH" as const }]],
    [
      "a range key",
      [
        { AttributeName: "leaseKey", KeyType: "HASH" as const },
        { AttributeName: "id", KeyType: "RANGE" as const },
      ],
    ],
  ])("with %s is refused with its name and what to do", async (_, KeySchema) => {
    const TableName = uniqueName("orders");
    await client.createTable({
      TableName,
      KeySchema,
      AttributeDefinitions: KeySchema.map(({ AttributeName }) => ({
        AttributeName,
        AttributeType: "S",
      })),
      BillingMode: "PAY_PER_REQUEST",
    });
    const opened = (await openTable(TableName)).ensure(never);
    await expect(opened).rejects.toThrow(UserError);
    await expect(opened).rejects.toThrow(/orders-.* is not a lease table.*id.*applicationName/);
  });
});

describe("rows", () => {
  test("of new leases, without and with parents", async () => {
    await create("first", { parentShardIds: [], hashKeyRange: RANGE });
    expect(await raw("first")).toEqual({
      leaseKey: { S: "first" },
      leaseCounter: { N: "0" },
      checkpoint: { S: "TRIM_HORIZON" },
      checkpointSubSequenceNumber: { N: "0" },
      ownerSwitchesSinceCheckpoint: { N: "0" },
      startingHashKey: { S: RANGE.startingHashKey },
      endingHashKey: { S: RANGE.endingHashKey },
    });
    await create("merged", { parentShardIds: ["p1", "p2"], hashKeyRange: RANGE });
    expect(await raw("merged")).toMatchObject({ parentShardId: { SS: ["p1", "p2"] } });
  });

  test("through take, renewal, checkpoint and release", async () => {
    let lease = await create("life", { parentShardIds: ["p"] });
    expect(await table.take(lease, "a", never)).toBe("written");
    expect(await raw("life")).toMatchObject({
      leaseOwner: { S: "a" },
      leaseCounter: { N: "1" },
      ownerSwitchesSinceCheckpoint: { N: "0" },
    });
    lease = await read("life");
    expect(await table.renew(lease, never)).toBe("written");
    lease = await read("life");
    expect(await table.take(lease, "b", never)).toBe("written");
    expect(await raw("life")).toMatchObject({
      leaseOwner: { S: "b" },
      leaseCounter: { N: "3" },
      ownerSwitchesSinceCheckpoint: { N: "1" },
    });
    lease = await read("life");
    expect(await table.checkpoint(lease, AT, never)).toBe("written");
    lease = await read("life");
    expect(await table.noteChildren("life", ["c1", "c2"], never)).toBe("written");
    expect(await table.release(lease, never)).toBe("written");
    expect(await raw("life")).toEqual({
      leaseKey: { S: "life" },
      leaseCounter: { N: "5" },
      checkpoint: { S: "4959" },
      checkpointSubSequenceNumber: { N: "3" },
      ownerSwitchesSinceCheckpoint: { N: "0" },
      parentShardId: { SS: ["p"] },
      childShardIds: { SS: ["c1", "c2"] },
    });
  });

  test("taking one's own lease again is not counted as a switch of owner", async () => {
    await create("back");
    await table.take(await read("back"), "a", never);
    await table.take(await read("back"), "a", never);
    expect(await raw("back")).toMatchObject({ ownerSwitchesSinceCheckpoint: { N: "0" } });
  });

  test("a checkpoint removes a prepared one, and nothing else that this program does not know", async () => {
    await create("prepared");
    await set("prepared", {
      pendingCheckpoint: { S: "77" },
      pendingCheckpointSubSequenceNumber: { N: "1" },
      pendingCheckpointState: { B: Buffer.from("state") },
      throughputKBps: { N: "7.83E-4" },
      somethingNew: { M: { a: { S: "b" } } },
    });
    await table.checkpoint(await read("prepared"), AT, never);
    const row = await raw("prepared");
    expect(Object.keys(row).filter((name) => name.startsWith("pending"))).toEqual([]);
    expect(row).toMatchObject({
      throughputKBps: { N: expect.any(String) },
      somethingNew: { M: { a: { S: "b" } } },
    });
  });

  test("through a handover of KCL 3.x: a holder that does not know of it cannot renew, one that does hands it over", async () => {
    await create("given");
    await table.take(await read("given"), "old", never);
    const before = await read("given");
    await set("given", { leaseOwner: { S: "new" }, checkpointOwner: { S: "old" } });
    for (const write of [
      table.renew(before, never),
      table.checkpoint(before, AT, never),
      table.release(before, never),
      table.take(before, "thief", never),
    ]) {
      expect(await write).toBe("conflict");
    }
    const known = await read("given");
    expect(await table.renew(known, never, 1.5)).toBe("written");
    expect(await table.checkpoint(await read("given"), AT, never)).toBe("written");
    expect(await table.handOver(await read("given"), never)).toBe("written");
    expect(await raw("given")).toEqual({
      leaseKey: { S: "given" },
      leaseCounter: { N: "4" },
      leaseOwner: { S: "new" },
      checkpoint: { S: "4959" },
      checkpointSubSequenceNumber: { N: "3" },
      ownerSwitchesSinceCheckpoint: { N: "1" },
      throughputKBps: { N: "1.5" },
    });
  });

  test("through a handover that another worker requested", async () => {
    await create("asked");
    await table.take(await read("asked"), "old", never);
    const before = await read("asked");
    expect(await table.requestHandover(before, "new", never)).toBe("written");
    expect(await table.requestHandover(before, "late", never)).toBe("conflict");
    expect(await table.renew(before, never)).toBe("conflict");
    expect(await table.checkpoint(before, AT, never)).toBe("conflict");
    const known = await read("asked");
    expect(known).toMatchObject({ handoverTo: "new", counter: before.counter });
    expect(await table.checkpoint(known, AT, never)).toBe("written");
    const answered = await read("asked");
    expect(answered).toMatchObject({ handoverTo: "new", handoverFrom: "old" });
    expect(await table.handOver(answered, never)).toBe("written");
    const row = await raw("asked");
    expect(row).toMatchObject({ leaseOwner: { S: "new" }, leaseCounter: { N: "3" } });
    expect(Object.keys(row).filter((name) => name.startsWith("handover"))).toEqual([]);
  });

  test("a withdrawn request leaves nothing to hand over; an unacknowledged one is replaced", async () => {
    await create("withdrawn");
    await table.take(await read("withdrawn"), "old", never);
    await table.requestHandover(await read("withdrawn"), "new", never);
    const known = await read("withdrawn");
    expect(await table.withdrawRequest("withdrawn", "somebody", never)).toBe("conflict");
    expect(await table.withdrawRequest("withdrawn", "new", never)).toBe("written");
    expect(await table.handOver(known, never)).toBe("conflict");
    expect(await table.renew(await read("withdrawn"), never)).toBe("written");
    await table.requestHandover(await read("withdrawn"), "dead", never);
    expect(await table.requestHandover(await read("withdrawn"), "next", never)).toBe("written");
    expect(await read("withdrawn")).toMatchObject({ handoverTo: "next" });
    expect(await table.take(await read("withdrawn"), "me", never)).toBe("written");
    expect(await read("withdrawn")).not.toHaveProperty("handoverTo");
  });

  test("taking ends a handover of KCL 3.x", async () => {
    await create("handover");
    await set("handover", { leaseOwner: { S: "new" }, checkpointOwner: { S: "old" } });
    const lease = await read("handover");
    expect(lease).toMatchObject({ owner: "new", checkpointOwner: "old" });
    expect(await table.take(lease, "me", never)).toBe("written");
    const row = await raw("handover");
    expect(row).toMatchObject({
      leaseOwner: { S: "me" },
      ownerSwitchesSinceCheckpoint: { N: "1" },
    });
    expect(row).not.toHaveProperty("checkpointOwner");
  });

  test("that carry another type are skipped; those without a type are reported", async () => {
    const mixed = await openTable();
    await mixed.ensure(never);
    const put = (Item: Record<string, AttributeValue>) =>
      client.putItem({ TableName: mixed.tableName, Item });
    await put({ leaseKey: { S: "Leader" }, entityType: { S: "LEADER" }, ownerName: { S: "w" } });
    await put({ leaseKey: { S: "Migration3.0" }, entityType: { S: "CLIENT_VERSION_MIGRATION" } });
    await put({ leaseKey: { S: "order-1" }, price: { N: "3" } });
    await mixed.create(newLease("good"), never);
    await client.updateItem({
      TableName: mixed.tableName,
      Key: { leaseKey: { S: "good" } },
      UpdateExpression: "SET entityType = :lease",
      ExpressionAttributeValues: { ":lease": { S: "LEASE" } },
    });
    const { leases, unreadable } = await mixed.scan(never);
    expect(leases.map((lease) => lease.shardId)).toEqual(["good"]);
    expect(unreadable.map((row) => row.shardId)).toEqual(["order-1"]);
    expect(unreadable[0]?.error.message).toMatch(/order-1.*no leaseCounter/);
    expect(await mixed.read("Leader", never)).toBeUndefined();
    await expect(mixed.read("order-1", never)).rejects.toMatchObject({ reason: "unreadable" });
  });

  test("of many pages are all read", async () => {
    const big = await openTable();
    await big.ensure(never);
    const padding = "x".repeat(300_000);
    for (const { shardId } of shardsSideBySide(5)) {
      await big.create(newLease(shardId), never);
      await client.updateItem({
        TableName: big.tableName,
        Key: { leaseKey: { S: shardId } },
        UpdateExpression: "SET padding = :x",
        ExpressionAttributeValues: { ":x": { S: padding } },
      });
    }
    // A page of a scan holds 1 MB.
    expect((await big.scan(never)).leases).toHaveLength(5);
  });
});

describe("scans", () => {
  test("in several segments at a time find every row once", async () => {
    const options = {
      tableName: uniqueName("leases"),
      deletionProtection: false,
      pointInTimeRecovery: false,
      scanSegments: 4,
    };
    const proxy = await DynamoProxy.start();
    const segments: unknown[] = [];
    proxy.fate = ({ operation, body }) => {
      if (operation === "Scan") segments.push(JSON.parse(body));
      return "pass";
    };
    const parts = dynamoLeaseTable(await openClient(proxy.url), options, systemClock);
    await parts.ensure(never);
    const ids = shardsSideBySide(40).map(({ shardId }) => shardId);
    for (const shardId of ids) await parts.create(newLease(shardId), never);
    const { leases } = await parts.scan(never);
    expect(leases.map(({ shardId }) => shardId).sort()).toEqual(ids);
    expect(segments).toHaveLength(4);
    expect(segments).toContainEqual(expect.objectContaining({ Segment: 3, TotalSegments: 4 }));
    await proxy.stop();
  });

  test("use as many segments as the table's size requires", () => {
    expect([0, 1, 204, 205, 410, 1_000_000].map(segmentsFor)).toEqual([1, 1, 1, 2, 3, 32]);
  });
});

describe("races", () => {
  test("of writers that saw the same counter have one winner", async () => {
    const lease = await create("race");
    const results = await Promise.all([
      table.take(lease, "a", never),
      table.take(lease, "b", never),
      table.renew(lease, never),
      table.checkpoint(lease, AT, never),
      table.release(lease, never),
    ]);
    expect(results.filter((result) => result === "written")).toHaveLength(1);
  });

  test("of creators have one, and the row stays as it is", async () => {
    const results = await Promise.all(
      Array.from({ length: 4 }, () => table.create(newLease("new"), never)),
    );
    expect(results.sort()).toEqual(["created", "exists", "exists", "exists"]);
    await table.take(await read("new"), "a", never);
    expect(await table.create(newLease("new"), never)).toBe("exists");
    expect(await raw("new")).toMatchObject({ leaseOwner: { S: "a" } });
  });

  test("a lease is deleted only while it is ended; notes go to rows that exist", async () => {
    const lease = await create("done");
    const end = { sequenceNumber: "SHARD_END", subSequenceNumber: 0 } as const;
    const stale = { ...lease, checkpoint: end };
    expect(await table.delete(stale, never)).toBe("conflict");
    await table.checkpoint(lease, end, never);
    expect(await table.delete(await read("done"), never)).toBe("written");
    expect(await table.read("done", never)).toBeUndefined();
    expect(await table.noteChildren("done", ["c"], never)).toBe("conflict");
    expect(await table.noteHashKeyRange("done", RANGE, never)).toBe("conflict");
    expect(await table.read("done", never)).toBeUndefined();
  });
});

test("a missing table is an error that says so", async () => {
  const missing = await openTable();
  await expect(missing.scan(never)).rejects.toMatchObject({ reason: "tableMissing" });
});

test("an endpoint where nobody listens is a temporary failure", async () => {
  const lonely = await openTable("any", "http://127.0.0.1:1");
  await expect(lonely.scan(never)).rejects.toMatchObject({
    reason: "unavailable",
    message: expect.stringMatching(/Scan.*"any".*ECONNREFUSED/),
  });
});

function newLease(shardId: string) {
  const checkpoint = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 } as const;
  return { shardId, checkpoint, parentShardIds: [] };
}

async function create(shardId: string, facts: Partial<Lease> = {}): Promise<Lease> {
  await table.create({ ...newLease(shardId), ...facts }, never);
  return read(shardId);
}

async function read(shardId: string): Promise<Lease> {
  const lease = await table.read(shardId, never);
  if (!lease) throw new Error(`no lease ${shardId}`);
  return lease;
}

async function raw(shardId: string): Promise<Record<string, AttributeValue>> {
  const { Item } = await client.getItem({
    TableName: table.tableName,
    Key: { leaseKey: { S: shardId } },
    ConsistentRead: true,
  });
  return Item ?? {};
}

async function set(shardId: string, attributes: Record<string, AttributeValue>): Promise<void> {
  const names = Object.keys(attributes);
  await client.updateItem({
    TableName: table.tableName,
    Key: { leaseKey: { S: shardId } },
    UpdateExpression: `SET ${names.map((name) => `${name} = :${name}`).join(", ")}`,
    ExpressionAttributeValues: Object.fromEntries(
      names.map((name) => [`:${name}`, attributes[name]]),
    ) as Record<string, AttributeValue>,
  });
}
