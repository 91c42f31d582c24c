// What a large fleet costs when nothing happens: requests counted in the simulation, capacity units reckoned from them.

import { hasEnded } from "../../src/leases/lease.ts";
import { Fleet } from "./fleet.ts";
import { Invariants } from "./invariants.ts";
import { Random } from "./random.ts";
import { scenarioOf } from "./scenario.ts";
import { Schedule } from "./schedule.ts";
import { asChild, SimStream } from "./stream.ts";
import { type Operation, SimTable } from "./table.ts";
import { Weather } from "./weather.ts";

export interface Cost {
  readonly workers: number;
  readonly shards: number;
  readonly scansPerSecond: number;
  readonly readUnitsPerSecond: number;
  readonly renewalsPerSecond: number;
  readonly writeUnitsPerHour: number;
  readonly readUnitsPerHour: number;
}

/** A row of a lease, about. DynamoDB reads 4 KB for half a unit when it need not be consistent. */
const ROW_BYTES = 300;
const BYTES_PER_UNIT = 8 * 1024;

/** A fleet that was restarted under its old names, so that it is even from the start; counted over `seconds` at rest. */
export async function costAtRest(workers: number, shards: number, seconds: number): Promise<Cost> {
  const random = new Random(1);
  const schedule = new Schedule();
  const scenario = scenarioOf(random, { workers, shards, calm: true });
  const { failoverTimeMillis } = scenario.settings;
  // No records: only leases are looked at.
  const stream = new SimStream(shards, 0);
  stream.putUntilMs = -1;
  const invariants = new Invariants(schedule, stream);
  const table = new SimTable(
    schedule,
    new Weather(random.fork(), failoverTimeMillis),
    3_000,
    () => {},
  );
  [...stream.shards.values()].forEach((shard, i) => {
    const checkpoint = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 } as const;
    const rest = { counter: 1, ownerSwitchesSinceCheckpoint: 0, childShardIds: [], checkpoint };
    const lease = { ...asChild(shard), ...rest, owner: `w${i % workers}` };
    table.rows.set(shard.shardId, { lease, previous: undefined, changedMs: 0 });
  });
  const fleet = new Fleet({
    scenario,
    schedule,
    stream,
    table,
    invariants,
    random: random.fork(),
    trace: () => {},
  });
  for (let i = 0; i < workers; i++) {
    schedule.in(random.between(0, failoverTimeMillis / 2), () => fleet.join(`w${i}`));
  }
  const advance = (ms: number) => schedule.runUntil(schedule.nowMs + ms, () => false);
  await advance(failoverTimeMillis);
  const before = new Map(table.requests);
  const rowsBefore = table.rowsScanned;
  await advance(seconds * 1_000);
  const rate = (operation: Operation) =>
    ((table.requests.get(operation) ?? 0) - (before.get(operation) ?? 0)) / seconds;
  const readUnitsPerSecond =
    ((table.rowsScanned - rowsBefore) * ROW_BYTES) / BYTES_PER_UNIT / seconds;
  const writesPerSecond = rate("renew") + rate("take") + rate("checkpoint");
  const leases = [...table.rows.values()].filter(({ lease }) => !hasEnded(lease)).length;
  if (leases !== shards) throw new Error(`${leases} leases of ${shards} are left`);
  return {
    workers,
    shards,
    scansPerSecond: (table.rowsScanned - rowsBefore) / shards / seconds,
    readUnitsPerSecond,
    renewalsPerSecond: rate("renew"),
    writeUnitsPerHour: writesPerSecond * 3_600,
    readUnitsPerHour: readUnitsPerSecond * 3_600,
  };
}

const SIZES: readonly (readonly [number, number])[] = [
  [1, 1],
  [2, 10],
  [10, 100],
  [100, 1_000],
  [100, 10_000],
  [1_000, 1_000],
];

export async function printCosts(sizes = SIZES): Promise<void> {
  console.log(
    "| workers | shards | scans/s | read units/s | renewals/s | read units/h | write units/h |",
  );
  console.log("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
  for (const [workers, shards] of sizes) {
    const cost = await costAtRest(workers, shards, workers * shards >= 1_000_000 ? 20 : 60);
    const numbers = [
      cost.scansPerSecond,
      cost.readUnitsPerSecond,
      cost.renewalsPerSecond,
      cost.readUnitsPerHour,
      cost.writeUnitsPerHour,
    ].map((number) => (number < 100 ? number.toFixed(2) : Math.round(number).toLocaleString("en")));
    console.log(`| ${workers} | ${shards} | ${numbers.join(" | ")} |`);
  }
}
