// Each kind of write that succeeds although its response never arrives: no lease is lost, none
// stays with a worker that has gone, and no wrong reason is reported.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { HeldLease } from "../../src/leases/heldLease.ts";
import type { LeaseTable } from "../../src/leases/table.ts";
import { SHARD_END } from "../../src/model/position.ts";
import type { Shard } from "../../src/model/shard.ts";
import { until } from "../support/emulators.ts";
import {
  never,
  openTable,
  over,
  parentsOf,
  shardsSideBySide,
  Worker,
  type WorkerOptions,
} from "./fleet.ts";
import { type Call, DynamoProxy } from "./proxy.ts";

const settings = { failoverTimeMillis: 20_000 };
/** Longer than a test may take: it may not wait for anything to expire. */
const LASTING = { failoverTimeMillis: 300_000 };
/** Finished leases are deleted in a moment. */
const QUICK = { failoverTimeMillis: 2_000, cleanupIntervalMs: 50 };
const running: Worker[] = [];
let proxy: DynamoProxy;
let direct: LeaseTable;
let proxied: LeaseTable;

beforeEach(async () => {
  proxy = await DynamoProxy.start();
  direct = await openTable();
  proxied = await openTable(direct.tableName, proxy.url);
});

afterEach(async () => {
  await Promise.allSettled(running.splice(0).map((worker) => worker.kill()));
  await proxy.stop();
});

function start(options: WorkerOptions): Worker {
  const worker = new Worker({ settings, ...options });
  running.push(worker);
  return worker;
}

/** Kinds of writes, by what is in their bodies. */
const TAKE = /^(?!.*handoverTo = ).*SET leaseOwner = /s;
const RELEASE = /REMOVE leaseOwner/;
const HAND_OVER = /^(?=.*handoverTo = ).*SET leaseOwner = /s;
const REQUEST = /SET handoverTo = /;
const WITHDRAW = /"REMOVE handoverTo/;
const NOTE_CHILDREN = /SET childShardIds/;

/** The first answer of such a write is lost. `again`: what the second one waits for. */
function loseFirst(kind: RegExp, again: Promise<unknown> = Promise.resolve()): Promise<void> {
  let writes = 0;
  return new Promise((lost) => {
    proxy.fate = ({ body }: Call) => {
      if (!kind.test(body)) return "pass";
      writes++;
      if (writes === 1) {
        lost();
        return "loseAnswer";
      }
      return writes === 2 ? { until: again } : "pass";
    };
  });
}

/**
 * Resolves when this many scans have come through from now on; the answer of all but the last was
 * seen.
 */
function scans(count: number): Promise<void> {
  const { fate } = proxy;
  return new Promise((resolve) => {
    let left = count;
    proxy.fate = (call) => {
      if (call.operation === "Scan" && --left === 0) resolve();
      return fate(call);
    };
  });
}

const owners = async () =>
  (await direct.scan(never)).leases.map(({ owner, handoverTo }) => ({ owner, handoverTo }));

describe("the creation of leases", () => {
  test("of a new application: the worker that creates the oldest creates all at once, and reports each", async () => {
    const shards = shardsSideBySide(5);
    const seen = new Set<string>();
    proxy.fate = ({ operation, body }) => {
      if (operation !== "PutItem" || seen.has(body)) return "pass";
      seen.add(body);
      return "loseAnswer";
    };
    const worker = start({ table: proxied, shards, settings: LASTING });
    await worker.until(() => worker.held.size === shards.length);
    const ids = shards.map(({ shardId }) => shardId);
    const created = worker.all("leaseCreated").map(({ shardId }) => shardId);
    expect(created.toSorted()).toEqual(ids);
    expect(worker.all("leaseLost")).toEqual([]);
  });

  test("of children: both are created and reported, and the end of their parent is stored", async () => {
    const [parent] = shardsSideBySide(1) as [Shard];
    const [, left, right] = shardsSideBySide(3) as [Shard, Shard, Shard];
    const children = [left, right].map((shard) => ({ ...shard, parentShardIds: [parent.shardId] }));
    const seen = new Set<string>();
    proxy.fate = ({ operation, body }) => {
      const makes = operation === "PutItem" && body.includes("parentShardId");
      if (!(makes || NOTE_CHILDREN.test(body)) || seen.has(body)) return "pass";
      seen.add(body);
      return "loseAnswer";
    };
    const begun: string[] = [];
    const worker = start({
      table: proxied,
      shards: [parent],
      consume: async (lease) => {
        await parentsOf(lease);
        begun.push(lease.shardId);
        if (lease.shardId !== parent.shardId) return over(lease);
        expect(await lease.addChildren(children)).toBe("added");
        expect(await lease.checkpoint(SHARD_END)).toBe("stored");
      },
    });
    await until("the children to begin", () => begun.length === 3);
    // Both children, and the note of them in their parent's row.
    expect(seen.size).toBe(3);
    const created = worker.all("leaseCreated").map(({ shardId }) => shardId);
    expect(created).toEqual([parent, left, right].map(({ shardId }) => shardId));
    expect(worker.all("leaseLost")).toEqual([]);
  });
});

describe("a lease that is created late", () => {
  test("after it was finished and deleted is read again, and deleted again", async () => {
    const [parent] = shardsSideBySide(1) as [Shard];
    const [, left, right] = shardsSideBySide(3) as [Shard, Shard, Shard];
    const children = [left, right].map((shard) => ({ ...shard, parentShardIds: [parent.shardId] }));
    const begun: string[] = [];
    const consume = async (lease: HeldLease) => {
      begun.push(lease.shardId);
      if (lease.shardId !== parent.shardId) {
        await lease.checkpoint({ sequenceNumber: "7" as never, subSequenceNumber: 0 });
        return over(lease);
      }
      await lease.addChildren(children);
      await lease.checkpoint(SHARD_END);
    };
    let carryOut = () => {};
    const late = new Promise<void>((resolve) => {
      carryOut = resolve;
    });
    proxy.fate = () => ({ until: late });
    await direct.ensure(never);
    const checkpoint = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 } as const;
    // Its sender does not wait for a response: such a request looks like a new one.
    const made = proxied.create({ ...parent, checkpoint }, never).catch(() => undefined);
    const worker = start({ table: direct, shards: [parent], consume, settings: QUICK });
    await worker.untilEvent("leaseDeleted");
    carryOut();
    await made;
    await worker.until(() => worker.all("leaseDeleted").length === 2);
    const [first, ...others] = begun;
    expect([first, ...others.slice(0, 2).toSorted(), ...others.slice(2)]).toEqual([
      ...[parent, left, right].map(({ shardId }) => shardId),
      parent.shardId,
    ]);
    expect(worker.all("leaseLost")).toEqual([]);
    expect(worker.held.size).toBe(2);
  });
});

describe("a release", () => {
  test("is reported once, and the lease has no owner", async () => {
    const worker = start({ table: proxied, shards: shardsSideBySide(1) });
    await worker.until(() => worker.held.size === 1);
    const lost = loseFirst(RELEASE);
    await worker.stop();
    await lost;
    expect(await owners()).toEqual([{}]);
    expect(worker.all("leaseReleased")).toHaveLength(1);
    expect(worker.all("leaseLost")).toEqual([]);
  });

  test("of a lease that another worker took immediately afterwards is not reported as a loss", async () => {
    const shards = shardsSideBySide(1);
    const leaving = start({ table: proxied, shards });
    await leaving.until(() => leaving.held.size === 1);
    const heir = start({ table: direct, shards });
    const inherited = heir.until(() => heir.held.size === 1);
    const lost = loseFirst(RELEASE, inherited);
    await leaving.stop();
    await lost;
    expect(await owners()).toEqual([{ owner: heir.workerId }]);
    expect(leaving.all("leaseReleased")).toHaveLength(1);
    expect(leaving.all("leaseLost")).toEqual([]);
  });
});

describe("a handover", () => {
  test("is reported as one, although its new owner has written before the old one learns of it", async () => {
    const shards = shardsSideBySide(2);
    const first = start({ table: proxied, shards });
    await first.until(() => first.held.size === 2);
    let look = () => {};
    const looked = new Promise<void>((resolve) => {
      look = resolve;
    });
    const lost = loseFirst(HAND_OVER, looked);
    const second = start({ table: direct, shards });
    await lost;
    await second.until(() => second.held.size === 1);
    // A scan shows the first worker whose lease it is, before it tries the release again.
    await scans(3);
    look();
    const { shardId, to } = await first.untilEvent("leaseReleased");
    expect({ shardId, to }).toEqual({ shardId: [...second.held.keys()][0], to: second.workerId });
    expect(first.all("leaseLost")).toEqual([]);
    expect(second.all("leaseTaken")).toMatchObject([{ how: "handedOver", from: first.workerId }]);
    await first.stop();
    await second.stop();
    expect(await owners()).toEqual([{}, {}]);
  });
});

describe("a take", () => {
  /** Answers of takes, and of the looks at the row that follow, are lost until `found` resolves. */
  function loseTakes(worker: () => Worker, found: Promise<unknown>): Promise<void> {
    let over = false;
    void found.then(() => {
      over = true;
    });
    return new Promise((lost) => {
      let taken = false;
      proxy.fate = ({ operation, body }) => {
        if (over) return "pass";
        if (TAKE.test(body) && body.includes(worker().workerId)) {
          taken = true;
          return "loseAnswer";
        }
        if (!taken || operation !== "GetItem") return "pass";
        lost();
        return "cut";
      };
    });
  }

  test("of a lease that was handed over, by a worker that stops: it is released", async () => {
    const shards = shardsSideBySide(2);
    const first = start({ table: direct, shards, settings: LASTING });
    await first.until(() => first.held.size === 2);
    let stopped = () => {};
    const isStopping = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    const second = start({ table: proxied, shards, settings: LASTING });
    const lost = loseTakes(() => second, isStopping);
    await lost;
    const stop = second.stop();
    expect((await owners()).filter(({ owner }) => owner === second.workerId)).toHaveLength(1);
    stopped();
    await stop;
    expect((await owners()).filter(({ owner }) => owner === second.workerId)).toEqual([]);
    expect(second.all("leaseReleased")).toHaveLength(1);
    expect(second.held.size).toBe(0);
  });

  test("of a free lease, by a worker that continues: the shard is read before the lease expires", async () => {
    let mended = () => {};
    const isMended = new Promise<void>((resolve) => {
      mended = resolve;
    });
    const worker = start({ table: proxied, shards: shardsSideBySide(1), settings: LASTING });
    await loseTakes(() => worker, isMended);
    await worker.untilEvent("serviceTrouble", ({ operation }) => operation === "take");
    expect(worker.held.size).toBe(0);
    mended();
    await worker.until(() => worker.held.size === 1);
    expect(worker.all("leaseTaken")).toMatchObject([{ how: "unowned" }]);
  });
});

describe("a request for a lease", () => {
  const shards = shardsSideBySide(2);

  test("is made again, and acknowledged", async () => {
    const first = start({ table: direct, shards });
    await first.until(() => first.held.size === 2);
    const lost = loseFirst(REQUEST);
    const second = start({ table: proxied, shards });
    await lost;
    await second.untilEvent("serviceTrouble", ({ operation }) => operation === "ask for a lease");
    await second.until(() => second.held.size === 1 && first.held.size === 1);
    for (const worker of [first, second]) expect(worker.all("leaseLost")).toEqual([]);
  });

  test("is withdrawn by a worker that ends", async () => {
    const { finish, first } = await slow();
    const lost = loseFirst(REQUEST);
    const second = start({ table: proxied, shards });
    await lost;
    await second.stop();
    finish();
    await first.until(() => first.held.size === 2);
    const owner = first.workerId;
    expect(await owners()).toEqual([{ owner }, { owner }]);
    expect(first.all("leaseReleased").filter(({ to }) => to !== undefined)).toEqual([]);
  });

  test("whose withdrawal has no response is withdrawn all the same", async () => {
    const { finish, first } = await slow();
    const lost = loseFirst(WITHDRAW);
    const second = start({ table: proxied, shards });
    await first.untilEvent("handoverRequested");
    const stopped = second.stop();
    await lost;
    await stopped;
    finish();
    await first.until(() => first.all("leaseTaken").length === 3);
    const owner = first.workerId;
    expect(await owners()).toEqual([{ owner }, { owner }]);
    expect(first.all("leaseLost")).toEqual([]);
  });

  test("whose withdrawal comes too late, and has no response: the lease is released", async () => {
    const first = start({ table: direct, shards });
    await first.until(() => first.held.size === 2);
    const given = first.untilEvent("leaseReleased");
    let withdrawals = 0;
    const looks = new Promise<void>((resolve) => {
      proxy.fate = ({ operation, body }) => {
        if (WITHDRAW.test(body)) return ++withdrawals === 1 ? "loseAnswer" : "pass";
        if (operation !== "GetItem" || withdrawals > 0) return "pass";
        resolve();
        return { until: given };
      };
    });
    const second = start({ table: proxied, shards });
    await looks;
    await given;
    await second.stop();
    expect(withdrawals).toBe(2);
    expect((await owners()).filter(({ owner }) => owner === second.workerId)).toEqual([]);
    expect(second.all("leaseReleased")).toHaveLength(1);
    await first.until(() => first.held.size === 2);
  });

  /** A worker that holds both leases, and takes until `finish` to give one up. */
  async function slow() {
    let finish = () => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const consume = async (lease: HeldLease) => {
      await over(lease);
      await finished;
    };
    const first = start({ table: direct, shards, consume });
    await first.until(() => first.held.size === 2);
    return { finish, first };
  }
});
