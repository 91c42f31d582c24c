// What keeps a finished lease from coming back: it is deleted late, and no lease is created from an
// old view of the table.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { LeaseTable } from "../../src/leases/table.ts";
import { UserError } from "../../src/model/errors.ts";
import type { Shard } from "../../src/model/shard.ts";
import { until } from "../support/emulators.ts";
import { ClockByHand } from "./clockByHand.ts";
import { never, openTable, shardsSideBySide, Worker, type WorkerOptions } from "./fleet.ts";
import { type Call, DynamoProxy } from "./proxy.ts";

const F = 60_000;
const [first, second, third] = shardsSideBySide(3) as [Shard, Shard, Shard];

let proxy: DynamoProxy;
let table: LeaseTable;
let clock: ClockByHand;
let calls: Call[];
let worker: Worker | undefined;

beforeEach(async () => {
  proxy = await DynamoProxy.start();
  table = await openTable(undefined, proxy.url);
  await table.ensure(never);
  clock = new ClockByHand();
  calls = [];
  proxy.fate = (call) => {
    calls.push(call);
    return "pass";
  };
});

afterEach(async () => {
  await worker?.kill();
  await proxy.stop();
});

const count = (operation: string) => calls.filter((call) => call.operation === operation).length;

function start(options: Partial<WorkerOptions>, settings: WorkerOptions["settings"]): Worker {
  worker = new Worker({
    ...{ table, clock, ...options },
    settings: { failoverTimeMillis: F, ...settings },
  });
  return worker;
}

/** Time passes until a scan has been made. */
async function scanned(): Promise<void> {
  const before = count("Scan");
  await until("a scan", async () => {
    clock.advance(100);
    return count("Scan") > before;
  });
}

test("a finished lease is deleted when two scans found it ended, because a create may be in flight", async () => {
  const children = [second, third].map((shard) => ({ ...shard, parentShardIds: [first.shardId] }));
  const at = (sequenceNumber: string) => ({
    checkpoint: { sequenceNumber: sequenceNumber as never, subSequenceNumber: 0 },
  });
  await table.create({ ...first, ...at("SHARD_END") }, never);
  for (const child of children) await table.create({ ...child, ...at("150") }, never);
  const ids = children.map(({ shardId }) => shardId);
  await table.noteChildren(first.shardId, ids, never);
  const everyMs = 20_000;
  const ended = { ...first, endingSequenceNumber: "200" };
  const held = start({ shards: [ended, ...children] }, { cleanupIntervalMs: everyMs });
  await held.until(() => held.held.size === 2);
  clock.advance(everyMs);
  for (let looks = 0; looks < 3; looks++) await scanned();
  expect(count("DeleteItem")).toBe(0);
  await until("it to be deleted", async () => {
    clock.advance(1_000);
    return held.all("leaseDeleted").length > 0;
  });
  expect(held.all("leaseDeleted")).toMatchObject([{ shardId: first.shardId }]);
});

test("no hole is filled from a view of the table that is older than a lease", async () => {
  const checkpoint = { sequenceNumber: "LATEST", subSequenceNumber: 0 } as const;
  await table.create({ ...first, checkpoint }, never);
  const before = count("PutItem");
  let isSlow = true;
  let listings = 0;
  const filler = start(
    {
      listShards: async () => {
        listings++;
        if (isSlow) clock.skip(F);
        return [first, second, third];
      },
    },
    { auditIntervalMs: 20_000, auditConfidence: 1 },
  );
  await filler.until(() => filler.held.size === 1);
  await until("holes to be looked at", async () => {
    clock.advance(1_000);
    return listings > 6;
  });
  expect(count("PutItem")).toBe(before);
  isSlow = false;
  await until("the holes to be filled", async () => {
    clock.advance(1_000);
    return filler.all("leaseCreated").length === 2;
  });
});

test("a stream that disappears is reported and awaited, by the audit and when its leases are gone", async () => {
  const checkpoint = { sequenceNumber: "LATEST", subSequenceNumber: 0 } as const;
  // A row of KCL 1.x has no hash keys: the audit has to ask the stream for them.
  const { hashKeyRange: _, ...unranged } = first;
  await table.create({ ...unranged, checkpoint }, never);
  let isMissing = true;
  const patient = start(
    {
      listShards: async () => {
        if (isMissing) throw new UserError("the stream was not found");
        return [first, second, third];
      },
    },
    { auditIntervalMs: 20_000, auditConfidence: 1 },
  );
  let ended = false;
  void patient.ended.then(
    () => (ended = true),
    () => (ended = true),
  );
  await patient.until(() => patient.held.size === 1);
  await until("the missing stream to be reported", async () => {
    clock.advance(1_000);
    return ended || patient.all("serviceTrouble").some(({ attempt }) => attempt >= 4);
  });
  expect(ended).toBe(false);
  expect(patient.all("serviceTrouble").at(-1)).toMatchObject({
    service: "kinesis",
    operation: "ListShards",
    error: { message: "the stream was not found" },
  });
  isMissing = false;
  await until("the holes to be filled", async () => {
    clock.advance(1_000);
    return ended || patient.all("leaseCreated").length === 2;
  });
  expect(ended).toBe(false);
  expect(patient.all("serviceRecovered")).not.toEqual([]);
});
