// A fleet for measurements: without incidents and without records, but with random choices from a
// fixed seed.

import { Fleet } from "./fleet.ts";
import { Invariants } from "./invariants.ts";
import { ledFleet } from "./led.ts";
import { Random } from "./random.ts";
import { type Scenario, scenarioOf } from "./scenario.ts";
import { Schedule } from "./schedule.ts";
import { SimStream } from "./stream.ts";
import { SimTable, type Write } from "./table.ts";
import { Weather } from "./weather.ts";

export interface CalmFleet {
  readonly scenario: Scenario;
  readonly schedule: Schedule;
  readonly stream: SimStream;
  readonly table: SimTable;
  readonly fleet: Fleet;
  readonly random: Random;
  readonly advance: (ms: number) => Promise<void>;
}

/** A page is 1 MiB. */
export const ROWS_PER_PAGE = 3_000;

/**
 * Workers join later, and no lease exists yet.
 *
 * @param isLed whether a Java worker of KCL 3.x leads the fleet.
 */
export function calmFleet(
  workers: number,
  shards: number,
  written: (write: Write, nowMs: number) => void = () => {},
  isLed = false,
): CalmFleet {
  const random = new Random(1);
  const schedule = new Schedule();
  const scenario = scenarioOf(random, { workers, shards, calm: true });
  const stream = new SimStream(shards, 0);
  stream.putUntilMs = -1;
  const invariants = new Invariants(schedule, stream);
  const weather = new Weather(random.fork(), scenario.settings.failoverTimeMillis);
  const table = new SimTable(schedule, weather, ROWS_PER_PAGE, (write) =>
    written(write, schedule.nowMs),
  );
  const fleet = new Fleet({
    ...{ scenario, schedule, stream, table, invariants },
    random: random.fork(),
    trace: () => {},
    ...(isLed && { fleetTables: ledFleet(table, schedule) }),
  });
  const advance = (ms: number) =>
    schedule.runUntil(schedule.nowMs + ms, () => {
      if (invariants.violation !== undefined) throw new Error(invariants.violation);
      return false;
    });
  return { scenario, schedule, stream, table, fleet, random, advance };
}

export function formatted(number: number): string {
  return Number.isInteger(number) || number >= 100
    ? Math.round(number).toLocaleString("en")
    : number.toFixed(1);
}

export function printRow(...cells: readonly string[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}
