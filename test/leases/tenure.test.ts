// One held lease against a real table behind a proxy: what its consumer learns when responses are
// lost, others write, or time runs out.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { Event } from "../../src/events.ts";
import { takeLease } from "../../src/leases/holding/takeLease.ts";
import { Tenure } from "../../src/leases/holding/tenure.ts";
import { ServiceFailures } from "../../src/leases/serviceFailures.ts";
import { LEASE_DEFAULTS } from "../../src/leases/settings.ts";
import type { LeaseTable } from "../../src/leases/table.ts";

import { SHARD_END } from "../../src/model/position.ts";
import { until } from "../support/emulators.ts";
import { ClockByHand } from "./clockByHand.ts";
import { never, openClient, openTable, shardsSideBySide } from "./fleet.ts";
import { type Call, DynamoProxy, type Fate } from "./proxy.ts";

const F = 10_000;
const AT = { sequenceNumber: "7" as never, subSequenceNumber: 0 };

let proxy: DynamoProxy;
let direct: LeaseTable;
let table: LeaseTable;
let clock: ClockByHand;
let events: Event[];
let duplicates: string[];

beforeEach(async () => {
  proxy = await DynamoProxy.start();
  direct = await openTable();
  table = await openTable(direct.tableName, proxy.url);
  await direct.ensure(never);
  clock = new ClockByHand();
  events = [];
  duplicates = [];
});

afterEach(() => proxy.stop());

test("a renewal and a checkpoint whose responses were lost are found to have succeeded", async () => {
  const tenure = await hold("a");
  spoil("UpdateItem", ["loseAnswer"]);
  expect(await tenure.checkpoint(AT)).toBe("stored");
  // The lost write, and the same one again on top of it.
  expect(await direct.read("a", never)).toMatchObject({ counter: 3, checkpoint: AT, owner: "me" });

  spoil("UpdateItem", ["loseAnswer"]);
  await renewOnce(tenure);
  expect(tenure.trusted).toBe(true);
  expect(await direct.read("a", never)).toMatchObject({ counter: 5, owner: "me" });
  expect(duplicates).toEqual([]);
});

test("the first renewal falls anywhere in the interval, so that renewals of leases taken together spread out", async () => {
  const tenure = await hold("a");
  const over = new AbortController();
  const kept = tenure.keep(over.signal);
  // By chance at once: no time passes here.
  await until("a renewal", () => events.some(({ type }) => type === "leaseRenewed"));
  over.abort();
  await kept;
});

test("a take whose response was lost is found to have succeeded", async () => {
  await direct.create(newLease("a"), never);
  await direct.create(newLease("b"), never);
  const [a, b] = [await direct.read("a", never), await direct.read("b", never)];
  if (!a || !b) throw new Error("no leases");
  spoil("UpdateItem", ["loseAnswer"]);
  expect(await takeLease(a, "me", table, clock, never)).toMatchObject({
    lease: { owner: "me", counter: 2 },
  });
  spoil("UpdateItem", ["cut"]);
  await expect(takeLease(b, "me", table, clock, never)).rejects.toMatchObject({
    reason: "unavailable",
  });
});

test("trust does not begin with a take that may have been refused, even if the row looks as if it had succeeded", async () => {
  await direct.create(newLease("a"), never);
  const seen = await direct.read("a", never);
  if (!seen) throw new Error("no lease");
  // An earlier write of ours whose response was lost. Our scan is older than the write, and others
  // have seen it long ago.
  await direct.take(seen, "me", never);
  clock.advance(F * 0.8);
  spoil("UpdateItem", ["loseAnswer"]);
  expect(await takeLease(seen, "me", table, clock, never)).toMatchObject({ lease: { counter: 2 } });
  expect(await direct.read("a", never)).toMatchObject({ counter: 2, owner: "me" });
});

test("writes of one lease are queued, however many are requested at once", async () => {
  const tenure = await hold("a");
  const calls: string[] = [];
  proxy.fate = ({ operation }) => {
    calls.push(operation);
    return "pass";
  };
  const results = await Promise.all([AT, AT, AT, AT].map((at) => tenure.checkpoint(at)));
  expect(results).toEqual(Array(4).fill("stored"));
  expect(await direct.read("a", never)).toMatchObject({ counter: 5 });
  // None was refused and had to be explained.
  expect(calls).toEqual(Array(4).fill("UpdateItem"));
});

test("another worker's take ends it, and the checkpoint that notices is not stored", async () => {
  const tenure = await hold("a");
  const row = await direct.read("a", never);
  if (!row) throw new Error("no lease");
  await direct.take(row, "peer", never);
  expect(await tenure.checkpoint(AT)).toBe("lost");
  expect(tenure.lost.aborted).toBe(true);
  expect(tenure.trusted).toBe(false);
  expect(events).toContainEqual({
    type: "leaseLost",
    shardId: "a",
    reason: 'worker "peer" took it',
  });
  expect((await direct.read("a", never))?.checkpoint.sequenceNumber).toBe("TRIM_HORIZON");
  expect(await tenure.read()).toBeUndefined();
});

test("a deleted row ends it, and is restored at its checkpoint for any worker to take", async () => {
  const tenure = await hold("a");
  expect(await tenure.checkpoint(AT)).toBe("stored");
  await deleteRow("a");
  expect(await tenure.read()).toBeUndefined();
  expect(events).toContainEqual(
    expect.objectContaining({ reason: expect.stringMatching(/deleted.*put back at 7/) }),
  );
  const row = await direct.read("a", never);
  expect(row).toMatchObject({ checkpoint: AT });
  expect(row).not.toHaveProperty("owner");
  // Nobody who knew the old row can write to the new one by chance.
  expect(row?.counter).toBeGreaterThan(1_000);
});

test("a row that was deleted is not restored by a worker whose lease has expired", async () => {
  const tenure = await hold("a");
  await deleteRow("a");
  clock.advance(F);
  expect(await tenure.read()).toBeUndefined();
  expect(await direct.read("a", never)).toBeUndefined();
});

test("another process that renews it under our worker id is detected", async () => {
  const tenure = await hold("a");
  const row = await direct.read("a", never);
  if (!row) throw new Error("no lease");
  await direct.renew(row, never);
  expect(await tenure.checkpoint(AT)).toBe("lost");
  expect(duplicates).toEqual(["a"]);
});

test("after a suspended process the first read of trusted is right, before any timer has fired", async () => {
  const tenure = await hold("a");
  const over = new AbortController();
  const kept = tenure.keep(over.signal);
  clock.skip(0.89 * F);
  expect(tenure.trusted).toBe(true);
  clock.skip(0.02 * F);
  expect(tenure.lost.aborted).toBe(false);
  expect(tenure.trusted).toBe(false);
  expect(tenure.lost.aborted).toBe(true);
  expect(await tenure.checkpoint(AT)).toBe("lost");
  await kept;
  expect(await direct.read("a", never)).toMatchObject({ counter: 1 });
  expect(events.map((event) => event.type)).toEqual(["leaseLost"]);
});

test("after a suspended process a checkpoint is refused even if nobody has read trusted", async () => {
  const tenure = await hold("a");
  clock.skip(F);
  expect(await tenure.checkpoint(AT)).toBe("lost");
  expect(tenure.lost.aborted).toBe(true);
  expect(await direct.read("a", never)).toMatchObject({ counter: 1 });
});

test("when trust runs out it is lost on time, even if a renewal hangs", async () => {
  const tenure = await hold("a");
  let letGo = () => {};
  const hanging = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const asked = new Promise<void>((resolve) => {
    proxy.fate = () => {
      resolve();
      return { until: hanging };
    };
  });
  const kept = tenure.keep(new AbortController().signal);
  clock.advance(F / 3);
  await asked;
  clock.advance(0.56 * F);
  expect(tenure.lost.aborted).toBe(false);
  clock.advance(0.02 * F);
  await new Promise((resolve) => setImmediate(resolve));
  expect(tenure.lost.aborted).toBe(true);
  await kept;
  letGo();
});

test("a write without a response is abandoned in time for another one", async () => {
  const tenure = await hold("a");
  const fates: Fate[] = [{ until: new Promise(() => {}) }];
  const asked = new Promise<void>((resolve) => {
    proxy.fate = () => {
      resolve();
      return fates.shift() ?? "pass";
    };
  });
  const stored = tenure.checkpoint(AT);
  await asked;
  clock.advance(F / 3);
  expect(await stored).toBe("stored");
});

test("trust counts from the start of the write, not from its response", async () => {
  const tenure = await hold("a");
  clock.skip(1_000);
  let asked = () => {};
  const arrived = new Promise<void>((resolve) => {
    asked = resolve;
  });
  let letGo = () => {};
  const hanging = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  proxy.fate = () => {
    asked();
    return { until: hanging };
  };
  const stored = tenure.checkpoint(AT);
  await arrived;
  clock.skip(2_000);
  letGo();
  expect(await stored).toBe("stored");
  // Written at 1 s: trusted until 10 s.
  clock.skip(6_900);
  expect(tenure.trusted).toBe(true);
  clock.skip(200);
  expect(tenure.trusted).toBe(false);
});

test("a checkpoint that is throttled for a moment is stored", async () => {
  const tenure = await hold("a");
  spoil("UpdateItem", ["throttle", "throttle"]);
  expect(await tenure.checkpoint(AT)).toBe("stored");
  expect(events.map((event) => event.type)).toEqual([
    "serviceTrouble",
    "serviceTrouble",
    "serviceRecovered",
  ]);
});

test.each([
  ["throttle", "ThrottlingException"],
  ["cut", "KinesisClientLibDependencyException"],
] as const)(
  "a checkpoint is tried for 10 s, then the child receives the error: %s",
  async (fate, name) => {
    const tenure = await hold("a", "new", [], 3 * F);
    const startMs = clock.monotonicMs();
    const triedAtMs: number[] = [];
    proxy.fate = ({ operation }) => {
      if (operation === "UpdateItem") {
        triedAtMs.push(clock.monotonicMs() - startMs);
        clock.skip(1_000);
      }
      return fate;
    };
    await expect(tenure.checkpoint(AT)).rejects.toMatchObject({ name });
    // One attempt makes one or several calls, because the AWS client retries too.
    expect(triedAtMs.length).toBeGreaterThan(9);
    expect(clock.monotonicMs() - startMs).toBeGreaterThan(10_000);
    expect(clock.monotonicMs() - startMs).toBeLessThan(17_000);
    proxy.fate = () => "pass";
    expect(await tenure.checkpoint(AT)).toBe("stored");
  },
);

test("a checkpoint is not retried when the table is gone", async () => {
  const tenure = await hold("a");
  const client = await openClient();
  await client.deleteTable({ TableName: table.tableName });
  client.destroy();
  const before = events.length;
  await expect(tenure.checkpoint(AT)).rejects.toMatchObject({ name: "InvalidStateException" });
  expect(events.slice(before)).toEqual([]);
});

test("a checkpoint stops being tried when the lease is lost", async () => {
  const tenure = await hold("a");
  proxy.fate = () => {
    clock.skip(F / 4);
    return "throttle";
  };
  expect(await tenure.checkpoint(AT)).toBe("lost");
});

test("a released lease has no owner, and cannot be written to by its old consumer", async () => {
  const tenure = await hold("a");
  spoil("UpdateItem", ["loseAnswer"]);
  await expect(tenure.release(never)).rejects.toMatchObject({ reason: "unavailable" });
  await tenure.release(never);
  const row = await direct.read("a", never);
  expect(row).toMatchObject({ counter: 2 });
  expect(row?.owner).toBeUndefined();
  expect(await tenure.checkpoint(AT)).toBe("lost");
  expect(events).toEqual([{ type: "leaseReleased", shardId: "a" }]);
});

test("an immediate stop withdraws trust first and then releases", async () => {
  const tenure = await hold("a");
  const given = tenure.abandon(never);
  expect(tenure.trusted).toBe(false);
  await given;
  expect((await direct.read("a", never))?.owner).toBeUndefined();
});

test("a merged shard's child gets a lease when both parents have leases", async () => {
  const tenure = await hold("p1");
  const [shard] = shardsSideBySide(1);
  const child = {
    shardId: "c",
    parentShardIds: ["p1", "p2"],
    hashKeyRange: shard?.hashKeyRange ?? { startingHashKey: "0", endingHashKey: "1" },
  };
  expect(await tenure.addChildren([child])).toBe("later");
  expect(await direct.read("c", never)).toBeUndefined();
  await direct.create(newLease("p2"), never);
  expect(await tenure.addChildren([child])).toBe("added");
  expect(await direct.read("c", never)).toMatchObject({
    parentShardIds: ["p1", "p2"],
    checkpoint: { sequenceNumber: "TRIM_HORIZON" },
    hashKeyRange: child.hashKeyRange,
  });
  expect(await direct.read("p1", never)).toMatchObject({ childShardIds: ["c"] });
  // The other parent finds the child there; its own parent may be gone by then.
  const other = await hold("p2", "existing");
  expect(await other.addChildren([child])).toBe("added");
});

test("a worker that was suspended while it lost its lease creates no further child lease", async () => {
  const tenure = await hold("p");
  const children = shardsSideBySide(2).map((shard) => ({ ...shard, parentShardIds: ["p"] }));
  proxy.fate = ({ operation }) => {
    if (operation === "PutItem") clock.skip(F);
    return "pass";
  };
  expect(await tenure.addChildren(children)).toBe("lost");
  const [first, second] = children.map(({ shardId }) => shardId);
  expect(await direct.read(first ?? "", never)).toBeDefined();
  expect(await direct.read(second ?? "", never)).toBeUndefined();
});

test("a single child without two parents is refused, and the lease is lost", async () => {
  const tenure = await hold("p1");
  const hashKeyRange = { startingHashKey: "0", endingHashKey: "1" };
  expect(await tenure.addChildren([{ shardId: "c", parentShardIds: ["p1"], hashKeyRange }])).toBe(
    "lost",
  );
  expect(tenure.lost.aborted).toBe(true);
});

test("parents that are missing or ended block nobody; a wake-up for them is never missed", async () => {
  await direct.create(newLease("p"), never);
  const tenure = await hold("c", "new", ["gone", "p"]);
  expect(await tenure.parentsEnded()).toBe(false);
  tenure.parentMayHaveEnded();
  await tenure.parentsChanged(F);
  const row = await direct.read("p", never);
  if (!row) throw new Error("no lease");
  await direct.checkpoint(row, SHARD_END, never);
  expect(await tenure.parentsEnded()).toBe(true);
  const waiting = tenure.parentsChanged(F);
  tenure.requestStop();
  await waiting;
});

async function hold(
  shardId: string,
  how: "new" | "existing" = "new",
  parents: string[] = [],
  failoverTimeMillis = F,
): Promise<Tenure> {
  if (how === "new") await direct.create({ ...newLease(shardId), parentShardIds: parents }, never);
  const lease = await direct.read(shardId, never);
  const taken = lease && (await takeLease(lease, "me", direct, clock, never));
  if (!taken) throw new Error(`${shardId} could not be taken`);
  const emit = (event: Event) => void events.push(event);
  const surroundings = {
    table,
    workerId: "me",
    settings: {
      ...LEASE_DEFAULTS,
      failoverTimeMillis,
      gracefulLeaseHandoffTimeoutMillis: 30_000,
    },
    clock,
    emit,
    failures: new ServiceFailures(emit),
    // No wait between attempts: only the test moves time.
    random: () => 0,
  };
  return new Tenure(taken.lease, taken.takenMs, surroundings, {
    reportsThroughput: () => false,
    shardEnded: () => {},
    leasesAdded: () => {},
    duplicateFound: (id) => void duplicates.push(id),
  });
}

/** One renewal, as soon as it is due. */
async function renewOnce(tenure: Tenure): Promise<void> {
  const over = new AbortController();
  const kept = tenure.keep(over.signal);
  const seen = events.length;
  clock.advance(F / 3);
  const renewed = () => events.slice(seen).some((event) => event.type === "leaseRenewed");
  await until("the renewal", renewed);
  over.abort();
  await kept;
}

/** The next calls of an operation meet these fates, in order; everything else passes. */
function spoil(operation: string, fates: readonly Fate[]): void {
  const queue = [...fates];
  proxy.fate = (call: Call) => (call.operation === operation ? queue.shift() : undefined) ?? "pass";
}

async function deleteRow(shardId: string): Promise<void> {
  const client = await openClient();
  await client.deleteItem({ TableName: table.tableName, Key: { leaseKey: { S: shardId } } });
  client.destroy();
}

function newLease(shardId: string) {
  return {
    shardId,
    checkpoint: { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 } as const,
    parentShardIds: [],
  };
}
