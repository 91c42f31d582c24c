// Measures the CPU time and memory of one scan's decisions for a large table. It runs the real
// decisions on the rows of a simulated fleet.

import { assign } from "../../src/leases/decisions/assignment.ts";
import { NOTHING_SEEN, observe } from "../../src/leases/decisions/observation.ts";
import { actualOwner, type Lease } from "../../src/leases/lease.ts";
import { LEASE_DEFAULTS } from "../../src/leases/settings.ts";
import { type Item, newItem, parseItem } from "../../src/leases/table/dynamoItem.ts";

export interface DecisionCost {
  readonly what: string;
  /** CPU time of one core, the median of several runs. */
  readonly cpuMs: number;
}

const TIMES = 15;
const LATER_MS = 5_000;

export function decisionCosts(rows: readonly Lease[]): readonly DecisionCost[] {
  const items = rows.map(itemOf);
  const text = JSON.stringify(items);
  const leases = items.map((item) => parseItem(item));
  const workerId = leases.flatMap((lease) => actualOwner(lease) ?? [])[0] ?? "";
  const seen = observe(NOTHING_SEEN, leases, 0);
  // The case in which a tenth of the leases has just been released.
  const some = items.map(({ leaseOwner, ...item }, i) =>
    parseItem(i % 10 === 0 || !leaseOwner ? item : { ...item, leaseOwner }),
  );
  const decide = (rows: readonly Lease[]) => () => {
    const leases = observe(seen, rows, LATER_MS);
    const none: ReadonlySet<string> = new Set();
    const view = { leases, workerId, nowMs: LATER_MS, firstPass: false, random: Math.random };
    assign({ ...view, busy: none, requested: none, expected: none, atOnce: 8 }, LEASE_DEFAULTS);
  };
  return [
    cost("reading the rows of a scan", () =>
      (JSON.parse(text) as Item[]).map((item) => parseItem(item)),
    ),
    cost("deciding, nothing to be taken", decide(leases)),
    cost("deciding, a tenth of the leases is free", decide(some)),
  ];
}

function cost(what: string, work: () => void): DecisionCost {
  const times = Array.from({ length: TIMES }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return { what, cpuMs: times.sort((a, b) => a - b)[Math.floor(TIMES / 2)] ?? 0 };
}

function itemOf(lease: Lease): Item {
  const { owner } = lease;
  return { ...newItem(lease), ...(owner !== undefined && { leaseOwner: { S: owner } }) };
}
