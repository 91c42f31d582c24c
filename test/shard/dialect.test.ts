// Children that neither answer their ending nor fail: one that is idle is taken not to know it, one
// that works is not. A minute is six seconds here.

import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { ChildDialect } from "../../src/child/dialect.ts";
import { startProcessor } from "../../src/child/startProcessor.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { Batch } from "../../src/model/batch.ts";
import { batchOf } from "../../src/model/batch.ts";
import type { DialectChoice } from "../../src/model/dialect.ts";
import { StartTurns } from "../../src/shard/startTurns.ts";
import { superviseShard } from "../../src/shard/supervisor.ts";
import { STRICT } from "../../src/try/consumeOnce.ts";
import { MemoryLease } from "../../src/try/memoryLease.ts";
import { Events, record, START } from "../child/support.ts";

const SPEED = 10;

const fast: Clock = {
  now: () => systemClock.now(),
  monotonicMs: () => systemClock.monotonicMs() * SPEED,
  sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
};

const fixture = fileURLToPath(new URL("../fixtures/processors/kcl1.py", import.meta.url));

/**
 * Runs a shard of one record to its end, with a processor that does this at what it does not know.
 */
async function runShard(unknown: string, choice: DialectChoice, env = {}) {
  const events = new Events();
  const lease = new MemoryLease("shardId-000000000000", START);
  const dialect = new ChildDialect(choice);
  await superviseShard(lease, {
    read: async function* (_shard, from): AsyncGenerator<Batch> {
      const records = from.sequenceNumber === "1" ? [] : [record(1)];
      yield { records: batchOf(records), millisBehindLatest: 0, shardEnd: { children: [] } };
    },
    startProcessor: startProcessor({
      command: { file: "python3", args: [fixture, unknown, "sequenceNumber"] },
      workerId: "test",
      env,
      dialect,
      closeGraceMs: 60_000,
      terminateGraceMs: 60_000,
      clock: fast,
      emit: events.emit,
    }),
    startTurns: new StartTurns(fast),
    settings: {
      ...STRICT,
      idleTimeBetweenReadsInMillis: 0,
      millisBehindLatestThresholdForReducedTps: 0,
    },
    dialect,
    clock: fast,
    emit: events.emit,
    random: Math.random,
  });
  const told = events.lines("stderr").filter((line) => line.startsWith("kcl1"));
  return { events, lease, told };
}

it("a child that is idle at an ending is replaced by one with the messages of KCL 1.x", async () => {
  const { events, lease, told } = await runShard("hang", "auto");
  expect(told).toEqual([
    "kcl1 initialize TRIM_HORIZON",
    "kcl1 record hello",
    "kcl1 checkpoint answered None",
    "kcl1 hangs at shardEnded",
    "kcl1 initialize 1",
    "kcl1 shutdown TERMINATE",
    "kcl1 checkpoint answered None",
  ]);
  expect(lease.stored.sequenceNumber).toBe("SHARD_END");
  expect(events.of("childFailed")).toMatchObject([{ next: "restart", retryInMs: 0 }]);
  expect(events.of("dialectChanged")).toMatchObject([{ to: "kcl1", sign: "shardEnded" }]);
  expect(events.of("shardStuck")).toEqual([]);
});

it("a child that uses CPU time for more than a minute is not replaced", async () => {
  const { events, lease, told } = await runShard("work", "auto", { WORK_SECONDS: "9" });
  expect(told.filter((line) => line.includes("initialize"))).toHaveLength(1);
  expect(lease.stored.sequenceNumber).toBe("SHARD_END");
  expect(events.of("childSlow")).toHaveLength(1);
  expect(events.of("childFailed")).toEqual([]);
  expect(events.of("dialectChanged")).toEqual([]);
});
