// Lease tables that somebody else has written to, or that a worker left half written: every shard
// gets a reader, rows that are another application's are left alone, and one bad row stops its own
// shard only.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ATTRIBUTES as A, newItem } from "../../src/leases/table/dynamoItem.ts";
import type { LeaseTable } from "../../src/leases/table.ts";
import { parsePosition } from "../../src/model/position.ts";
import type { Shard } from "../../src/model/shard.ts";
import { LAST_HASH_KEY } from "../../src/model/shard.ts";
import { uniqueName, until } from "../support/emulators.ts";
import { ClockByHand } from "./clockByHand.ts";
import { never, openClient, openTable, shardsSideBySide, Worker } from "./fleet.ts";

const LATEST = { type: "LATEST" } as const;
const HALF = (LAST_HASH_KEY + 1n) / 2n;

let tableName: string;
let table: LeaseTable;
let worker: Worker | undefined;

beforeEach(async () => {
  tableName = uniqueName("others");
  table = await openTable(tableName);
  await table.ensure(never);
});

afterEach(() => worker?.kill().catch(() => undefined));

function start(
  shards: readonly Shard[],
  more: Partial<ConstructorParameters<typeof Worker>[0]> = {},
) {
  const settings = { initialPosition: LATEST, ...more.settings };
  worker = new Worker({ table, shards, ...more, settings });
  return worker;
}

function shard(id: number, parents: readonly number[], more: Partial<Shard> = {}): Shard {
  return {
    shardId: name(id),
    parentShardIds: parents.map(name),
    hashKeyRange: { startingHashKey: "0", endingHashKey: String(LAST_HASH_KEY) },
    startingSequenceNumber: String(1_000 * (id + 1)),
    ...more,
  };
}

const name = (id: number) => `shardId-${String(id).padStart(12, "0")}`;
const closed = (id: number) => ({ endingSequenceNumber: String(1_000 * (id + 1) + 999) });
const LOWER = { hashKeyRange: { startingHashKey: "0", endingHashKey: String(HALF - 1n) } };
const UPPER = {
  hashKeyRange: { startingHashKey: String(HALF), endingHashKey: String(LAST_HASH_KEY) },
};

async function row(of: Shard, at: string): Promise<void> {
  const checkpoint = parsePosition(at, 0);
  if (!checkpoint) throw new Error(`no position: ${at}`);
  const { shardId, parentShardIds, hashKeyRange } = of;
  await table.create({ shardId, parentShardIds, hashKeyRange, checkpoint }, never);
}

/** Rows as another program writes them. */
async function foreignRow(
  item: Parameters<Awaited<ReturnType<typeof openClient>>["putItem"]>[0]["Item"],
) {
  const client = await openClient();
  await client.putItem({ TableName: tableName, Item: item });
  client.destroy();
}

describe("a shard that nobody would ever read gets a lease at its first record at once:", () => {
  test("the children of a shard that has ended, when their rows are missing", async () => {
    const parent = shard(0, [], closed(0));
    const children = [shard(1, [0], LOWER), shard(2, [0], UPPER)];
    await row(parent, "SHARD_END");
    const clock = new ClockByHand();
    const startedMs = clock.monotonicMs();
    const one = start([parent, ...children], { clock });
    for (const { shardId } of children) {
      const { checkpoint } = await one.untilEvent("leaseCreated", (e) => e.shardId === shardId);
      expect(checkpoint.sequenceNumber).toBe("TRIM_HORIZON");
    }
    expect(clock.monotonicMs()).toBe(startedMs);
  });

  test("one of the children, when its row was deleted while the fleet runs", async () => {
    const parent = shard(0, [], closed(0));
    const children = [shard(1, [0], LOWER), shard(2, [0], UPPER)] as const;
    await row(parent, "SHARD_END");
    for (const child of children) await row(child, child.startingSequenceNumber);
    // Nobody holds the second lease: a holder would put its row back.
    const one = start([parent, ...children], { settings: { maxLeasesForWorker: 1 } });
    await one.until(() => one.held.size === 1);
    const [missing] = children.map(({ shardId }) => shardId).filter((id) => !one.held.has(id));
    const client = await openClient();
    await client.deleteItem({ TableName: tableName, Key: { [A.key]: { S: missing ?? "" } } });
    client.destroy();
    const { checkpoint } = await one.untilEvent("leaseCreated", (e) => e.shardId === missing);
    expect(checkpoint.sequenceNumber).toBe("TRIM_HORIZON");
  });

  test("the descendants of shards that are past the retention", async () => {
    // 0 was split into 1 and 2, these merged into 3, 3 was split: only its children are left.
    const before = shard(0, []);
    const alive = [shard(4, [3], LOWER), shard(5, [3], UPPER)];
    await row(before, "1500");
    const clock = new ClockByHand();
    const startedMs = clock.monotonicMs();
    const late = start(alive, { clock });
    for (const { shardId } of alive) {
      const { checkpoint } = await late.untilEvent("leaseCreated", (e) => e.shardId === shardId);
      expect(checkpoint.sequenceNumber).toBe("TRIM_HORIZON");
    }
    expect(clock.monotonicMs()).toBe(startedMs);
  });
});

test("a hole that the audit cannot fill is an error that names the shards", async () => {
  const [first, second] = shardsSideBySide(2) as [Shard, Shard];
  await row(first, "LATEST");
  const clock = new ClockByHand();
  // The row of the second is damaged while the fleet runs.
  const one = start([first, second], {
    clock,
    settings: { auditIntervalMs: 5_000, auditConfidence: 1, failoverTimeMillis: 60_000 },
  });
  await one.until(() => one.held.size === 1);
  await foreignRow({ [A.key]: { S: second.shardId }, [A.checkpoint]: { S: "nonsense" } });
  await until("the error", async () => {
    clock.advance(1_000);
    return one.all("shardsUnread").length > 0;
  });
  expect(one.all("shardsUnread")[0]?.shardIds).toEqual([second.shardId]);
});

describe("rows of another application", () => {
  const KEY = "123456789012:orders:1700000000:shardId-000000000000";

  test("that reads many streams: the program does not start, and nothing is written", async () => {
    const theirs = {
      ...newItem({
        ...shard(0, []),
        shardId: KEY,
        checkpoint: { sequenceNumber: "LATEST", subSequenceNumber: 0 },
      }),
      streamName: { S: "123456789012:orders:1700000000" },
      shardId: { S: name(0) },
      [A.owner]: { S: "java" },
    };
    await foreignRow(theirs);
    const { ended } = start(shardsSideBySide(1));
    await expect(ended).rejects.toThrow(/orders.*several streams.*applicationName/s);
    const client = await openClient();
    const { Items } = await client.scan({ TableName: tableName });
    client.destroy();
    expect(Items).toEqual([theirs]);
  });

  test.each([
    ["a key of no known form", "orders/7"],
    ["a key with colons", "a:b:c"],
  ])("with %s: the program does not start", async (_form, key) => {
    await foreignRow(
      newItem({
        ...shard(0, []),
        shardId: key,
        checkpoint: { sequenceNumber: "LATEST", subSequenceNumber: 0 },
      }),
    );
    await expect(start(shardsSideBySide(1)).ended).rejects.toThrow(`"${key}"`);
  });

  test("that appear while the program runs are not changed", async () => {
    const shards = shardsSideBySide(1);
    const one = start(shards);
    await one.until(() => one.held.size === 1);
    const theirs = newItem({
      ...shard(0, []),
      shardId: KEY,
      checkpoint: { sequenceNumber: "LATEST", subSequenceNumber: 0 },
    });
    await foreignRow(theirs);
    await one.untilEvent("serviceTrouble", (e) => e.shardId === KEY);
    await one.stop();
    const client = await openClient();
    const { Item } = await client.getItem({ TableName: tableName, Key: { [A.key]: { S: KEY } } });
    client.destroy();
    expect(Item).toEqual(theirs);
  });
});

describe("one bad row", () => {
  test.each([
    ["a number below the shard", "1"],
    ["a number behind what is closed", "5000"],
  ])("with %s stops its own shard, with an error, and no other", async (_what, at) => {
    const bad = shard(0, [], { ...LOWER, ...closed(0) });
    const good = shard(1, [], UPPER);
    await row(bad, at);
    await row(good, "2500");
    const one = start([bad, good]);
    await one.until(() => one.held.has(good.shardId));
    const { shardIds, message } = await one.untilEvent("leasesContradicted");
    expect(shardIds).toEqual([bad.shardId]);
    expect(message).toContain(`checkpoints reset --shard ${bad.shardId}`);
    await one.stop();
    expect(one.all("leaseTaken").map(({ shardId }) => shardId)).toEqual([good.shardId]);
    expect((await table.read(bad.shardId, never))?.checkpoint.sequenceNumber).toBe(at);
  });

  test("is read again as soon as it is corrected", async () => {
    const [bad, good] = [shard(0, [], LOWER), shard(1, [], UPPER)];
    await row(bad, "1");
    await row(good, "2500");
    const one = start([bad, good]);
    await one.untilEvent("leasesContradicted");
    const lease = await table.read(bad.shardId, never);
    if (!lease) throw new Error("the row went away");
    const checkpoint = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 } as const;
    expect(await table.checkpoint(lease, checkpoint, never)).toBe("written");
    await one.until(() => one.held.size === 2);
  });

  test("among rows that do not show it either leaves open whose table it is: nothing is skipped", async () => {
    // An ended lease, and no other that is proven: the stream may have been made again with the
    // same shards.
    const ended = shard(0, [], closed(0));
    const children = [shard(1, [0], LOWER), shard(2, [0], UPPER)];
    await row(ended, "SHARD_END");
    await row(children[0] as Shard, "7");
    await row(children[1] as Shard, "TRIM_HORIZON");
    await expect(start([ended, ...children]).ended).rejects.toThrow(
      /does not describe the stream as it is now/,
    );
  });

  test("that is unreadable also stops no other shard", async () => {
    const [bad, good] = shardsSideBySide(2) as [Shard, Shard];
    await row(good, "LATEST");
    await foreignRow({
      ...newItem({ ...bad, checkpoint: { sequenceNumber: "LATEST", subSequenceNumber: 0 } }),
      [A.checkpoint]: { S: "abc" },
    });
    const one = start([bad, good]);
    await one.until(() => one.held.has(good.shardId));
    const { shardIds, message } = await one.untilEvent("leasesContradicted");
    expect(shardIds).toEqual([bad.shardId]);
    expect(message).toMatch(/checkpoint "abc".*delete the row/);
    expect(message).toContain(`checkpoints reset --shard ${bad.shardId} --to trim-horizon`);
  });
});

test("an owner that is dead, and whose leases nobody may take, does not prevent audits", async () => {
  const [first, second, third] = shardsSideBySide(3) as [Shard, Shard, Shard];
  for (const each of [first, second, third]) await row(each, "LATEST");
  const dead = await table.read(first.shardId, never);
  if (!dead) throw new Error("no row");
  await table.take(dead, "a-dead-one", never);
  const clock = new ClockByHand();
  const one = start([first, second, third], {
    workerId: "b",
    clock,
    settings: {
      ...{ maxLeasesForWorker: 1, auditIntervalMs: 30_000, auditConfidence: 1 },
      failoverTimeMillis: 10_000,
    },
  });
  await one.until(() => one.held.size === 1);
  const client = await openClient();
  const missing = [second, third].find(({ shardId }) => !one.held.has(shardId));
  await client.deleteItem({
    TableName: tableName,
    Key: { [A.key]: { S: missing?.shardId ?? "" } },
  });
  client.destroy();
  await until("the audit", async () => {
    clock.advance(1_000);
    return one.all("leaseCreated").length > 0;
  });
  expect(one.all("leaseCreated").map(({ shardId }) => shardId)).toEqual([missing?.shardId]);
});
