// What a fleet costs at rest: requests and units counted in the simulation, next to those of a Java
// fleet.

import { calmFleet, formatted, printRow, ROWS_PER_PAGE } from "./calm.ts";
import { java2, java3, type UnitsPerHour } from "./java.ts";
import { asChild } from "./stream.ts";
import { rowBytes } from "./units.ts";

interface Cost extends UnitsPerHour {
  readonly scansPerSecond: number;
  readonly writesPerSecond: number;
  /** The highest load in one second. A partition supports 1,000. */
  readonly busiestSecond: number;
  /** The total size of all rows. */
  readonly tableBytes: number;
}

/**
 * Measures a fleet that was restarted with its old worker ids, so that it is even from the start.
 * Counts over `seconds` at rest.
 */
async function costAtRest(
  workers: number,
  shards: number,
  seconds: number,
  isLed = false,
): Promise<Cost> {
  const writesInSecond = new Map<number, number>();
  const { table, stream, fleet, random, schedule, scenario, advance } = calmFleet(
    workers,
    shards,
    (_, nowMs) => {
      const second = Math.floor(nowMs / 1_000);
      writesInSecond.set(second, (writesInSecond.get(second) ?? 0) + 1);
    },
    isLed,
  );
  const { failoverTimeMillis } = scenario.settings;
  [...stream.shards.values()].forEach((shard, i) => {
    const checkpoint = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 } as const;
    const rest = { counter: 1, ownerSwitchesSinceCheckpoint: 0, childShardIds: [], checkpoint };
    const lease = { ...asChild(shard), ...rest, owner: `w${i % workers}` };
    table.fill(lease);
  });
  for (let i = 0; i < workers; i++) {
    schedule.in(random.between(0, failoverTimeMillis / 2), () => fleet.join(`w${i}`));
  }
  await advance(2 * failoverTimeMillis);
  const { readUnits, writeUnits } = table.meter;
  const pages = table.requests.get("scan") ?? 0;
  writesInSecond.clear();
  await advance(seconds * 1_000);
  const perSecond = {
    reads: (table.meter.readUnits - readUnits) / seconds,
    writes: (table.meter.writeUnits - writeUnits) / seconds,
    pages: ((table.requests.get("scan") ?? 0) - pages) / seconds,
  };
  const leases = [...table.rows.values()].map(({ lease }) => lease);
  if (leases.length !== shards) throw new Error(`${leases.length} leases of ${shards} are left`);
  return {
    scansPerSecond: perSecond.pages / Math.ceil(shards / ROWS_PER_PAGE),
    writesPerSecond: perSecond.writes,
    busiestSecond: Math.max(...writesInSecond.values()),
    tableBytes: leases.reduce((sum, lease) => sum + rowBytes(lease), 0),
    readUnits: perSecond.reads * 3_600,
    writeUnits: perSecond.writes * 3_600,
  };
}

type Size = readonly [workers: number, shards: number];

const PRICED: readonly Size[] = [
  [1, 1],
  [2, 10],
  [10, 100],
  [50, 1_000],
];

/** Units per hour, ours and Java's. A write unit costs about as much as five read units. */
export async function printPrice(sizes: readonly Size[] = PRICED): Promise<void> {
  const kinds = ["ours", "led", "2.x", "3.x"];
  printRow(
    "workers",
    "shards",
    ...["read", "written"].flatMap((what) => kinds.map((kind) => `${what}, ${kind}`)),
  );
  printRow(...Array.from({ length: 10 }, () => "---:"));
  for (const [workers, shards] of sizes) {
    const seconds = shards >= 1_000 ? 300 : 3_600;
    const ours = await costAtRest(workers, shards, seconds);
    const led = await costAtRest(workers, shards, seconds, true);
    const reference = [java2, java3].map((java) => java(workers, shards, ours.tableBytes));
    const reads = [ours, led, ...reference].map(({ readUnits }) => readUnits);
    const writes = [ours, led, ...reference].map(({ writeUnits }) => writeUnits);
    printRow(...[workers, shards, ...reads, ...writes].map(formatted));
  }
}
