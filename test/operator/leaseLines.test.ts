// The state of a lease, from its row, its parents and its renewals.

import { describe, expect, it } from "vitest";
import { toRow } from "../../src/leases/table/rows.ts";
import { leaseLines, otherRows } from "../../src/operator/leaseLines.ts";
import { leasesTable, legend } from "../../src/operator/leasesText.ts";
import { LeaseWatch } from "../../src/operator/leaseWatch.ts";
import { FLEET_ROWS, type JavaLease, javaLease } from "./tables.ts";

const FAILOVER_MS = 10_000;

/** The counters at each read of the table; a read takes 10 ms. */
function watched(
  leases: readonly JavaLease[],
  reads: readonly { at: number; counters: number[] }[],
) {
  const watch = new LeaseWatch();
  let rows = leases.map((lease) => toRow(javaLease(lease)));
  for (const { at, counters } of reads) {
    rows = leases.map((lease, i) => toRow(javaLease({ ...lease, counter: counters[i] ?? 0 })));
    const seen = rows.flatMap((row) => (row.type === "lease" ? [row.lease] : []));
    watch.add(seen, at, at + 10);
  }
  return leaseLines(rows, watch, FAILOVER_MS);
}

describe("the state of a lease", () => {
  it.each([
    ["renewed between reads", [0, 1_000], [5, 6], "active", "<1.0 s"],
    ["not renewed in a short while", [0, 1_000], [5, 5], "held", ">990 ms"],
    ["read once", [0], [5], "held", "?"],
    [
      "renewed, and then not for the failover time",
      [0, 1_000, 12_000],
      [5, 6, 6],
      "expired",
      "<12.0 s",
    ],
    ["never renewed for the failover time", [0, 10_100], [5, 5], "expired", ">10.1 s"],
    ["renewed at every read", [0, 6_000, 12_000], [5, 6, 7], "active", "<6.0 s"],
  ])("%s", (_, at, counters, state, renewed) => {
    const reads = at.map((ms, i) => ({ at: ms, counters: [counters[i] ?? 0] }));
    const lines = watched([{ key: "s", owner: "a" }], reads);
    expect(lines[0]?.state).toBe(state);
    const [, row] = leasesTable({ lines, notes: [], wide: false });
    expect(row?.split(/ {2,}/).at(-2)).toBe(renewed);
  });

  it.each<[string, JavaLease, string]>([
    ["without an owner", { key: "s" }, "unowned"],
    ["at its end, whoever owns it", { key: "s", owner: "a", checkpoint: "SHARD_END" }, "ended"],
    ["with a parent unfinished", { key: "s", owner: "a", parents: ["p"] }, "waiting for parent"],
    ["with a parent finished", { key: "s", owner: "a", parents: ["done"] }, "held"],
    ["with a parent gone", { key: "s", parents: ["gone"] }, "unowned"],
    ["in a handover", { key: "s", owner: "b", checkpointOwner: "a" }, "handing over"],
  ])("%s", (_, lease, state) => {
    const others = [{ key: "p" }, { key: "done", checkpoint: "SHARD_END" }];
    const lines = watched([lease, ...others], [{ at: 0, counters: [1, 1, 1] }]);
    expect(lines.find(({ shardId }) => shardId === "s")?.state).toBe(state);
  });

  it("in a handover names both workers", () => {
    const leases = [{ key: "s", owner: "b", checkpointOwner: "a" }];
    const lines = watched(leases, [{ at: 0, counters: [1] }]);
    expect(lines[0]).toMatchObject({ owner: "a", nextOwner: "b" });
    expect(leasesTable({ lines, notes: [], wide: false })[1]).toContain("a -> b");
  });
});

it("a table explains the states that it shows, and no others", () => {
  const lines = watched([{ key: "s", owner: "a" }, { key: "t" }], [{ at: 0, counters: [1, 1] }]);
  const explanations = leasesTable({ lines, notes: [], wide: false }).slice(-2);
  expect(explanations).toEqual([
    "held: it has an owner, which has not renewed it while this command watched",
    "unowned: it has no owner; the next worker that scans the table takes it",
  ]);
  expect(legend().length).toBe(8);
  expect(legend().at(-1)).toMatch(/^RENEWED: /);
});

it("rows that are not leases are reported in sentences", () => {
  const strange = toRow({ leaseKey: { S: "order-1" }, price: { N: "3" } });
  const notes = otherRows([...FLEET_ROWS.map(toRow), strange]);
  expect(notes).toEqual([
    "The table also holds rows of KCL 3.x: the fleet's version (CLIENT_VERSION_3X); the leader's lock (held by workerA); metrics of 1 worker (workerA).",
    'A row is neither a lease nor marked as anything else: row "order-1" has no leaseCounter.',
  ]);
  expect(otherRows([toRow(javaLease({ key: "s" }))])).toEqual([]);
});
