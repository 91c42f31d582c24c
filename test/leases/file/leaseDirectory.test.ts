// The lease table in a directory: it decides as DynamoDB does, belongs to one process, and keeps
// what it has acknowledged.

import { execFileSync } from "node:child_process";
import { appendFile, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../../src/clock.ts";
import { DirectoryLock } from "../../../src/leases/file/directoryLock.ts";
import { LeaseDirectory } from "../../../src/leases/file/leaseDirectory.ts";
import type { Lease } from "../../../src/leases/lease.ts";
import { dynamoStore } from "../../../src/leases/table/dynamoStore.ts";
import {
  checkpointing,
  handingOver,
  notingChildren,
  notingHashKeyRange,
  releasing,
  renewing,
  requesting,
  taking,
  withdrawing,
} from "../../../src/leases/table/leaseChanges.ts";
import type { Change } from "../../../src/leases/table/rowStore.ts";
import { LeaseTableError } from "../../../src/leases/table.ts";
import { UserError } from "../../../src/model/errors.ts";
import { temporaryFolder } from "../../support/daemon.ts";
import { never, openClient, openTable } from "../fleet.ts";

const AT = (n: number) => ({ sequenceNumber: String(n) as never, subSequenceNumber: 0 });
/** Hundreds of writes, on a machine that has other work. */
const SLOW_MS = 180_000;
const NEW = { checkpoint: AT(1), parentShardIds: [] };
const SHARD = "shardId-000000000000";

async function openDirectory(path: string, table = "words"): Promise<LeaseDirectory> {
  const directory = new LeaseDirectory(path, table, systemClock);
  onTestFinished(() => directory.close());
  await directory.open(never);
  return directory;
}

async function held(directory: LeaseDirectory, shardId = SHARD): Promise<Lease> {
  const table = directory.asTable();
  await table.create({ shardId, ...NEW }, never);
  const lease = await readLease(directory, shardId);
  expect(await table.take(lease, "me", never)).toBe("written");
  return readLease(directory, shardId);
}

async function readLease(directory: LeaseDirectory, shardId = SHARD): Promise<Lease> {
  const lease = await directory.asTable().read(shardId, never);
  if (!lease) throw new Error(`there is no lease of ${shardId}`);
  return lease;
}

describe("a write to a directory", () => {
  const worker = fc.constantFrom("me", "peer", "java");
  const optional = fc.option(worker, { nil: undefined });
  const seen = fc
    .record({
      counter: fc.integer({ min: 0, max: 1 }),
      owner: optional,
      checkpointOwner: optional,
      handoverTo: optional,
      handoverFrom: optional,
    })
    .map((fields) => {
      const known = Object.entries(fields).filter(([, value]) => value !== undefined);
      const lease = { shardId: SHARD, checkpoint: AT(5), ownerSwitchesSinceCheckpoint: 2 };
      const rest = { parentShardIds: [], childShardIds: [] };
      return { ...lease, ...rest, ...Object.fromEntries(known) } as unknown as Lease;
    });
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.tuple(seen, worker).map(([lease, me]) => taking(lease, me)),
    seen.map((lease) => renewing(lease, undefined)),
    fc.tuple(seen, fc.nat()).map(([lease, n]) => checkpointing(lease, AT(n))),
    seen.map(releasing),
    seen.filter((l) => (l.checkpointOwner ? l.owner : l.handoverTo) !== undefined).map(handingOver),
    fc
      .tuple(
        seen.filter(({ owner }) => owner !== undefined),
        worker,
      )
      .map(([lease, me]) => requesting(lease, me)),
    worker.map(withdrawing),
    fc.constant(notingChildren(["x", "y"])),
    fc.constant(notingHashKeyRange({ startingHashKey: "0", endingHashKey: "9" })),
  );

  test("is decided and done as in DynamoDB", { timeout: SLOW_MS }, async () => {
    const table = await openTable();
    await table.ensure(never);
    const dynamo = dynamoStore(await openClient(), table.tableName);
    const directory = await openDirectory(await temporaryFolder());
    const written = { written: 0, conflict: 0 };
    await fc.assert(
      fc.asyncProperty(seen, fc.array(change, { maxLength: 6 }), async (first, changes) => {
        const row = {
          leaseKey: { S: SHARD },
          leaseCounter: { N: String(first.counter) },
          checkpoint: { S: "5" },
          ...(first.owner && { leaseOwner: { S: first.owner } }),
          ...(first.checkpointOwner && { checkpointOwner: { S: first.checkpointOwner } }),
          ...(first.handoverTo && { handoverTo: { S: first.handoverTo } }),
          unknown: { S: "kept" },
        };
        for (const store of [dynamo, directory]) {
          await store.delete(SHARD, { leaseKey: "present" }, never);
          expect(await store.insert(row, never)).toBe("created");
          expect(await store.insert(row, never)).toBe("exists");
        }
        for (const each of changes) {
          const result = await dynamo.update(SHARD, each, never);
          expect(await directory.update(SHARD, each, never)).toBe(result);
          expect(await directory.get(SHARD)).toEqual(await dynamo.get(SHARD, never));
          written[result]++;
        }
      }),
      { numRuns: 40 },
    );
    // The property says nothing if all writes fail, or all succeed.
    expect(written.written).toBeGreaterThan(10);
    expect(written.conflict).toBeGreaterThan(10);
  });
});

describe("a lease directory", () => {
  test("keeps what it acknowledged, and frees leases of its dead owner", async () => {
    const path = join(await temporaryFolder(), "deep", "words");
    const first = new LeaseDirectory(path, "words", systemClock);
    expect(await first.open(never)).toBe("created");
    const lease = await held(first);
    expect(await first.asTable().checkpoint(lease, AT(77), never)).toBe("written");
    await first.close();
    const second = new LeaseDirectory(path, "words", systemClock);
    expect(await second.open(never)).toBe("existed");
    const found = await readLease(second);
    expect(found.checkpoint).toEqual(AT(77));
    expect(found.owner).toBeUndefined();
    await second.close();
  });

  test("is refused to a second daemon, and free after the first has ended", async () => {
    const path = await temporaryFolder();
    const first = await openDirectory(path);
    const second = new LeaseDirectory(path, "words", systemClock);
    await expect(second.open(never)).rejects.toThrow(UserError);
    await expect(second.open(never)).rejects.toThrow(
      new RegExp(`${path} is in use .*the id ${process.pid}\\).*Stop the other one`),
    );
    await first.close();
    await expect(second.open(never)).resolves.toBe("existed");
    await second.close();
  });

  test("goes to one of many that claim it at once, and is free after", {
    timeout: SLOW_MS,
  }, async () => {
    const path = await temporaryFolder();
    for (let round = 0; round < 8; round++) {
      const claims = await Promise.all(Array.from({ length: 5 }, () => DirectoryLock.claim(path)));
      const won = claims.filter((lock) => lock !== undefined);
      expect(won).toHaveLength(1);
      expect(await DirectoryLock.isHeld(path)).toBe(true);
      await won[0]?.release();
      expect(await DirectoryLock.isHeld(path)).toBe(false);
    }
    const locks = (await readdir(path)).filter((name) => name.startsWith("lock-"));
    expect(locks.length).toBeLessThanOrEqual(2);
  });

  test("with a path longer than a socket's name works", async () => {
    const path = join(await temporaryFolder(), "x".repeat(120), "y".repeat(120));
    const directory = await openDirectory(path);
    expect(await directory.isHeld()).toBe(true);
  });

  test("of another application is refused", async () => {
    const path = await temporaryFolder();
    await (await openDirectory(path, "words")).close();
    const other = new LeaseDirectory(path, "orders", systemClock);
    await expect(other.open(never)).rejects.toThrow(/holds the leases of words, not of orders/);
  });

  test.each([
    ["that is a file", async (path: string) => writeFile(path, "")],
    ["that leads nowhere", async (path: string) => symlink("/nowhere/at/all", path)],
  ])("%s is refused with its name", async (_, make) => {
    const path = join(await temporaryFolder(), "words");
    await make(path);
    const directory = new LeaseDirectory(path, "words", systemClock);
    await expect(directory.open(never)).rejects.toThrow(UserError);
    await expect(directory.open(never)).rejects.toThrow(/words cannot be used .*local file system/);
  });

  test("with a damaged file is refused, and the file stays as it is", async () => {
    const path = await temporaryFolder();
    const first = await openDirectory(path);
    await held(first);
    await first.close();
    const file = join(path, "leases.ndjson");
    const text = (await readFile(file, "utf8")).replace("words", "wards");
    await writeFile(file, text);
    const second = new LeaseDirectory(path, "words", systemClock);
    await expect(second.open(never)).rejects.toThrow(
      /leases.ndjson cannot be read: line 1.*backup/,
    );
    expect(await readFile(file, "utf8")).toBe(text);
  });

  test("continues after the torn line that a crash left", async () => {
    const path = await temporaryFolder();
    const first = await openDirectory(path);
    const lease = await held(first);
    await first.asTable().checkpoint(lease, AT(77), never);
    await first.close();
    await appendFile(join(path, "leases.ndjson"), '1234abcd {"shardId-0000');
    const second = await openDirectory(path);
    await held(second, "shardId-000000000001");
    await second.close();
    const third = await openDirectory(path);
    expect((await readLease(third)).checkpoint).toEqual(AT(77));
    expect(await readLease(third, "shardId-000000000001")).toBeDefined();
  });

  test("renews without a write to the lease file, and shows the renewal to an observer", async () => {
    const path = await temporaryFolder();
    const directory = await openDirectory(path);
    let lease = await held(directory);
    const { size } = await stat(join(path, "leases.ndjson"));
    for (let i = 0; i < 5; i++) {
      expect(await directory.asTable().renew(lease, never)).toBe("written");
      lease = await readLease(directory);
    }
    expect((await stat(join(path, "leases.ndjson"))).size).toBe(size);
    const observer = new LeaseDirectory(path, "words", systemClock);
    await expect
      .poll(async () => (await readLease(observer)).counter, { timeout: 10_000 })
      .toBe(lease.counter);
  });

  test("does not grow without end", async () => {
    const path = await temporaryFolder();
    const directory = await openDirectory(path);
    const first = await held(directory);
    const row = await directory.get(SHARD);
    const padded = { ...row, leaseKey: { S: SHARD }, padding: { S: "x".repeat(8_000) } };
    const now = { leaseCounter: { N: String(first.counter) } };
    expect(await directory.replace(padded, now, never)).toBe("written");
    let lease = first;
    for (let i = 0; i < 100; i++) {
      await directory.asTable().checkpoint(lease, AT(i), never);
      lease = await readLease(directory);
    }
    expect((await stat(join(path, "leases.ndjson"))).size).toBeLessThan(300 * 1024);
    await directory.close();
    expect((await readLease(await openDirectory(path))).checkpoint).toEqual(AT(99));
  });

  test("stores writes that come at once in their order", async () => {
    const directory = await openDirectory(await temporaryFolder());
    const lease = await held(directory);
    const table = directory.asTable();
    const results = await Promise.all([
      table.checkpoint(lease, AT(10), never),
      table.checkpoint(lease, AT(11), never),
      table.checkpoint({ ...lease, counter: lease.counter + 1 }, AT(12), never),
    ]);
    expect(results).toEqual(["written", "conflict", "written"]);
    expect((await readLease(directory)).checkpoint).toEqual(AT(12));
  });
});

const small = await smallDisk();

describe.skipIf(!small)("on a full disk", () => {
  afterAll(() => small && execFileSync("umount", [small]));

  test("a write fails, nothing is lost, and writes succeed when there is space again", async () => {
    const path = join(small ?? "", "words");
    const directory = await openDirectory(path);
    const lease = await held(directory);
    const table = directory.asTable();
    await table.checkpoint(lease, AT(50), never);
    const known = await readLease(directory);
    const filler = join(small ?? "", "filler");
    await writeFile(filler, Buffer.alloc(1024 * 1024)).catch(() => undefined);
    let failure: unknown;
    // The last page of the file still has room.
    for (let i = 0; i < 100 && !failure; i++) {
      const now = await readLease(directory);
      await table.checkpoint(now, AT(51 + i), never).catch((error: unknown) => {
        failure = error;
      });
    }
    expect(failure).toBeInstanceOf(LeaseTableError);
    expect((failure as LeaseTableError).reason).toBe("unavailable");
    expect((failure as LeaseTableError).message).toContain("The disk is full: free some space");
    const stored = await readLease(directory);
    expect(await table.renew(stored, never)).toBe("written");
    await expect(table.checkpoint(await readLease(directory), AT(900), never)).rejects.toThrow();
    execFileSync("rm", [filler]);
    expect(await table.checkpoint(await readLease(directory), AT(901), never)).toBe("written");
    await directory.close();
    const again = await readLease(await openDirectory(path));
    expect(again.checkpoint).toEqual(AT(901));
    expect(again.counter).toBeGreaterThan(known.counter);
  });
});

/** A file system of 64 KiB, where this user may mount one. */
async function smallDisk(): Promise<string | undefined> {
  const path = `/tmp/kinesis-multilang-disk-${process.pid}`;
  await mkdir(path, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", path], { stdio: "ignore" });
    return path;
  } catch {
    return undefined;
  }
}
