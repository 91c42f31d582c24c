// What it costs to start a whole fleet at once on an empty table, where leases are created and all
// workers want them.

import { actualOwner } from "../../src/leases/lease.ts";
import { calmFleet, formatted, printRow } from "./calm.ts";

type Size = readonly [workers: number, shards: number];

const SIZES: readonly Size[] = [
  [1, 1_000],
  [20, 300],
  [100, 1_000],
  [100, 10_000],
];

/** The time in which all workers have joined. */
const JOINED_MS = 500;
const GIVE_UP_MS = 600_000;

export async function printStarts(sizes: readonly Size[] = SIZES): Promise<void> {
  printRow(
    ...[
      "workers",
      "shards",
      "made",
      "made without effect",
      "taken",
      "taken without effect",
      "read units",
    ],
    ...["all owned after s", "even after s"],
  );
  printRow(...Array.from({ length: 9 }, () => "---:"));
  for (const [workers, shards] of sizes) {
    const cost = await startTogether(workers, shards);
    printRow(...[workers, shards, ...Object.values(cost)].map(formatted));
  }
}

/** In the order of the table's columns. */
interface StartCost {
  readonly made: number;
  readonly madeInVain: number;
  readonly taken: number;
  readonly takenInVain: number;
  readonly readUnits: number;
  readonly ownedAfterS: number;
  readonly evenAfterS: number;
}

export async function startTogether(workers: number, shards: number): Promise<StartCost> {
  const { table, fleet, random, schedule, advance } = calmFleet(workers, shards);
  for (let i = 0; i < workers; i++) {
    schedule.in(random.between(0, JOINED_MS), () => fleet.join());
  }
  const secondsUntil = async (done: () => boolean) => {
    while (!done() && schedule.nowMs < GIVE_UP_MS) await advance(100);
    return schedule.nowMs / 1_000;
  };
  const owners = () => [...table.rows.values()].flatMap(({ lease }) => actualOwner(lease) ?? []);
  const ownedAfterS = await secondsUntil(() => owners().length === shards);
  const refused = (operation: "create" | "take") => table.refused.get(operation) ?? 0;
  const counts = {
    made: table.requests.get("create") ?? 0,
    madeInVain: refused("create"),
    taken: table.requests.get("take") ?? 0,
    takenInVain: refused("take"),
    readUnits: table.meter.readUnits,
  };
  const evenAfterS = await secondsUntil(() => {
    const shares = new Map<string, number>();
    for (const owner of owners()) shares.set(owner, (shares.get(owner) ?? 0) + 1);
    const least = shares.size < workers ? 0 : Math.min(...shares.values());
    return Math.max(...shares.values()) - least <= 1;
  });
  return { ...counts, ownedAfterS, evenAfterS };
}
