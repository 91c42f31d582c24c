// Shards that nobody reads because of maxLeasesForWorker: how often that is reported.

import { expect, test } from "vitest";
import type { Event } from "../../src/events.ts";
import { LeaseLimit } from "../../src/leases/decisions/leaseLimit.ts";
import { openTable, shardsSideBySide, Worker } from "./fleet.ts";

const MINUTE_MS = 60_000;

/** In which minutes of two days the shards are reported. */
function minutesReported(left: (minute: number) => readonly string[]): number[] {
  const events: Event[] = [];
  const limit = new LeaseLimit(2, (event) => void events.push(event));
  const found: number[] = [];
  for (let minute = 0; minute < 2 * 24 * 60; minute += 1) {
    limit.saw(left(minute), minute * MINUTE_MS);
    if (events.splice(0).length > 0) found.push(minute);
  }
  return found;
}

test("they are reported at once, then less and less often, but at least every hour", () => {
  const reported = minutesReported(() => ["a"]);
  expect(reported.slice(0, 8)).toEqual([0, 1, 3, 7, 15, 31, 63, 123]);
  expect(reported.at(-1)).toBeGreaterThanOrEqual(2 * 24 * 60 - 60);
});

test("once they were read, they are reported at once again", () => {
  expect(minutesReported((minute) => (minute % 100 === 50 ? [] : ["a"])).slice(0, 8)).toEqual([
    0, 1, 3, 7, 15, 31, 51, 52,
  ]);
});

test("a worker at its limit names the shards that nobody reads, and the remedy", async () => {
  const table = await openTable();
  const settings = { maxLeasesForWorker: 2, failoverTimeMillis: 1_000 };
  const worker = new Worker({ table, shards: shardsSideBySide(3), settings });
  const { shardIds } = await worker.untilEvent("leasesBeyondLimit");
  expect([...shardIds, ...worker.held.keys()].toSorted()).toEqual(
    shardsSideBySide(3).map(({ shardId }) => shardId),
  );
  await worker.stop();
});
