// Who takes which lease: single decisions by example, and whole fleets on a simulated table.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AssignmentSettings,
  type AssignmentView,
  assign,
} from "../../src/leases/decisions/assignment.ts";
import { NOTHING_SEEN, type Observation, observe } from "../../src/leases/decisions/observation.ts";
import { hasEnded, type Lease } from "../../src/leases/lease.ts";
import { lease } from "./leases.ts";

const F = 10_000;
const SETTINGS: AssignmentSettings = {
  failoverTimeMillis: F,
  maxLeasesForWorker: 1_000,
  maxLeasesToStealAtOneTime: 1,
  enablePriorityLeaseAssignment: true,
};

describe("one decision", () => {
  test("a lone worker takes every lease without owner at first sight", () => {
    expect(take([lease("a"), lease("b"), lease("c")])).toEqual([
      "a unowned",
      "b unowned",
      "c unowned",
    ]);
  });

  test("leases of others wait until their counters were unchanged for longer than the failover time", () => {
    const seen = observe(NOTHING_SEEN, owned("peer", "a"), 0);
    expect(take(seen, { nowMs: F })).toEqual([]);
    expect(take(seen, { nowMs: F + 1 })).toEqual(["a expired"]);
  });

  test("a worker that restarts under its id resumes its leases at once, but only in its first pass", () => {
    const seen = observe(NOTHING_SEEN, owned("me", "a", "b"), 0);
    expect(take(seen, { firstPass: true })).toEqual(["a resumed", "b resumed"]);
    expect(take(seen, { firstPass: false })).toEqual([]);
    expect(take(seen, { nowMs: F + 1 })).toEqual(["a resumed", "b resumed"]);
    expect(take(seen, { firstPass: true }, { maxLeasesForWorker: 1 })).toHaveLength(1);
  });

  test("only the fair share is taken while others are alive", () => {
    const leases = [...owned("peer", "a", "b"), lease("c"), lease("d"), lease("e"), lease("f")];
    expect(take(leases)).toHaveLength(3);
  });

  test("a worker that sees nothing but free leases takes some, and looks again", () => {
    const leases = Array.from({ length: 20 }, (_, i) => lease(`shard-${i}`));
    const seen = observe(NOTHING_SEEN, leases, 0);
    const { take: some, more } = assign(view(seen, { atOnce: 8 }), SETTINGS);
    expect(some).toHaveLength(8);
    expect(more).toBe(true);
    expect(assign(view(seen, { atOnce: 20 }), SETTINGS).more).toBe(false);
    expect(assign(view(seen, { atOnce: 8, nowMs: 100 * F }), SETTINGS).more).toBe(false);
  });

  test("ended leases are neither taken nor counted", () => {
    const finished = ["x", "y", "z"].map((id) => ended(lease(id)));
    expect(take([...finished, ...owned("peer", "a"), lease("b")])).toEqual(["b unowned"]);
    expect(take([...finished, ...owned("peer", "a")])).toEqual([]);
  });

  test("without a free lease it steals from the busiest, no more than allowed at a time", () => {
    const leases = [...owned("idle", "a"), ...owned("busy", "b", "c", "d", "e", "f")];
    const stolen = take(leases);
    expect(stolen).toHaveLength(1);
    expect("bcdef").toContain(stolen[0]?.[0]);
    expect(take(leases, {}, { maxLeasesToStealAtOneTime: 5 })).toHaveLength(2);
  });

  test("it does not steal a lease when that would only move the imbalance", () => {
    expect(take([...owned("peer", "a", "b"), ...owned("me", "c")], busy("c"))).toEqual([]);
    expect(take(owned("peer", "a"))).toEqual([]);
  });

  test("it does not steal from a worker below the target", () => {
    const resting = ["w", "x", "y", "z"].map((id) => lease(id));
    const leases = [...owned("peer", "a", "b"), ...resting];
    expect(take(leases, busy("w", "x", "y", "z"))).toEqual([]);
  });

  test("a worker that lacks two leases steals one even if no worker is above the target", () => {
    const leases = [...owned("p", "a", "b"), ...owned("q", "c", "d"), ...owned("r", "e")];
    expect(take(leases)).toHaveLength(1);
  });

  test("a neglected lease is taken above the fair share, if the settings allow it", () => {
    const seen = observe(
      NOTHING_SEEN,
      [...owned("peer", "a", "b"), ...owned("me", "c", "d"), lease("e")],
      0,
    );
    const mine = busy("c", "d");
    // A share of three each: one more is fair, and so is taken at once; with two free, the second
    // has to wait.
    const two = observe(seen, [...[...seen.values()].map((each) => each.lease), lease("f")], 0);
    expect(take(two, { ...mine, nowMs: 1 })).toHaveLength(1);
    expect(take(two, { ...mine, nowMs: F / 3 + 1 })).toHaveLength(2);
    const off = { enablePriorityLeaseAssignment: false };
    expect(take(two, { ...mine, nowMs: F / 3 + 1 }, off)).toHaveLength(1);
  });

  test("a worker takes at most maxLeasesForWorker, and the spillover is returned", () => {
    const leases = ["a", "b", "c", "d", "e"].map((id) => lease(id));
    const seen = observe(NOTHING_SEEN, leases, 0);
    expect(take(seen, { nowMs: F }, { maxLeasesForWorker: 2 })).toHaveLength(2);
    expect(assign(view(seen), { ...SETTINGS, maxLeasesForWorker: 2 })).toMatchObject({
      target: 2,
      spillover: 3,
    });
  });

  test("neglected shards that maxLeasesForWorker excludes are named", () => {
    const leases = [...owned("me", "a", "b"), ...["c", "d", "e"].map((id) => lease(id))];
    const seen = observe(NOTHING_SEEN, leases, 0);
    const beyond = (nowMs: number, maxLeasesForWorker: number) =>
      assign(view(seen, { nowMs, ...busy("a", "b") }), { ...SETTINGS, maxLeasesForWorker })
        .beyondLimit;
    expect(beyond(1, 2)).toEqual([]);
    expect(beyond(F, 2)).toEqual(["c", "d", "e"]);
    expect(beyond(F, 4)).toHaveLength(1);
    expect(beyond(F, 5)).toEqual([]);
  });

  test("a lease in a handover of KCL 3.x is not taken until both of its workers are silent", () => {
    const handing = [lease("a", { owner: "new", checkpointOwner: "old" })];
    const seen = observe(NOTHING_SEEN, handing, 0);
    expect(take(seen, { firstPass: true, workerId: "new" })).toEqual([]);
    expect(take(seen, { nowMs: F + 1 })).toEqual(["a expired"]);
  });

  test("a lease whose consumer is still ending is left alone", () => {
    const seen = observe(NOTHING_SEEN, [lease("a"), ...owned("me", "b")], 0);
    expect(take(seen, { nowMs: F + 1, ...busy("a", "b") })).toEqual([]);
  });
});

describe("a fleet on one table", () => {
  test("becomes stable within one lease of equal shares, and stays so", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer(),
        (workers, leases, steal, seed) => {
          const fleet = new Fleet(seed, leases, { ...SETTINGS, maxLeasesToStealAtOneTime: steal });
          for (let i = 0; i < workers; i++) fleet.join(`w${i}`);
          fleet.settle();
          fleet.expectBalance();
          const before = fleet.owners();
          for (let i = 0; i < 3 * workers; i++) fleet.step();
          expect(fleet.owners()).toEqual(before);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("rebalances after joins, crashes and stops, and nobody takes a lease that is alive", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.constantFrom("join", "crash", "leave", "steps"), { maxLength: 20 }),
        fc.integer(),
        (leases, story, seed) => {
          const fleet = new Fleet(seed, leases, SETTINGS);
          fleet.join("w");
          story.forEach((what, i) => {
            if (what === "join") fleet.join(`w${i}`);
            else if (what === "steps") for (let n = 0; n < 20; n++) fleet.step();
            else if (fleet.size > 1) fleet.depart(what);
          });
          fleet.settle();
          fleet.expectBalance();
        },
      ),
      { numRuns: 200 },
    );
  });
});

/**
 * Workers that scan and renew in turn, at random, on rows that obey the counter. Time is a number.
 */
class Fleet {
  readonly #rows = new Map<string, Lease>();
  readonly #workers = new Map<string, { seen: Observation; held: Set<string>; fresh: boolean }>();
  readonly #settings: AssignmentSettings;
  readonly #random: () => number;
  #nowMs = 0;

  constructor(seed: number, leases: number, settings: AssignmentSettings) {
    this.#settings = settings;
    this.#random = generator(seed);
    for (let i = 0; i < leases; i++) this.#rows.set(`s${i}`, lease(`s${i}`));
  }

  get size(): number {
    return this.#workers.size;
  }

  join(name: string): void {
    this.#workers.set(name, { seen: NOTHING_SEEN, held: new Set(), fresh: true });
  }

  depart(how: "crash" | "leave"): void {
    const name = this.#any();
    const held = this.#workers.get(name)?.held ?? new Set();
    this.#workers.delete(name);
    if (how === "crash") return;
    for (const id of held) {
      const row = this.#rows.get(id);
      if (row?.owner !== name) continue;
      const { owner: _, ...rest } = row;
      this.#rows.set(id, { ...rest, counter: row.counter + 1 });
    }
  }

  /** Everybody renews (three times in a lease), and somebody passes. */
  step(): void {
    this.#nowMs += F / 3 / Math.max(1, this.#workers.size);
    for (const [name, { held }] of this.#workers) {
      for (const id of held) {
        const row = this.#rows.get(id);
        if (row?.owner === name) this.#rows.set(id, { ...row, counter: row.counter + 1 });
        else held.delete(id);
      }
    }
    this.#pass(this.#any());
  }

  /**
   * Until nothing has moved for three failover times and more: a dead worker is noticed after one.
   */
  settle(): void {
    let before = "";
    for (let quiet = 0, steps = 0; quiet < 12 * this.#workers.size; quiet++, steps++) {
      if (steps > 5_000) throw new Error("the fleet does not come to rest");
      this.step();
      const now = this.owners().join();
      if (now !== before) quiet = 0;
      before = now;
    }
  }

  #pass(name: string): void {
    const worker = this.#workers.get(name);
    if (!worker) return;
    worker.seen = observe(worker.seen, [...this.#rows.values()], this.#nowMs);
    const view = {
      leases: worker.seen,
      workerId: name,
      nowMs: this.#nowMs,
      firstPass: worker.fresh,
      busy: worker.held,
      requested: new Set<string>(),
      expected: new Set<string>(),
      atOnce: 8,
      random: this.#random,
    };
    worker.fresh = false;
    for (const { lease: wanted, how } of assign(view, this.#settings).take) {
      const row = this.#rows.get(wanted.shardId);
      if (!row || row.counter !== wanted.counter) throw new Error("the table changed in a pass");
      const alive = row.owner !== undefined && this.#workers.get(row.owner)?.held.has(row.shardId);
      if (how !== "stolen" && alive)
        throw new Error(`${row.shardId} was taken as ${how}, but is alive`);
      this.#rows.set(row.shardId, { ...row, owner: name, counter: row.counter + 1 });
      worker.held.add(row.shardId);
    }
  }

  owners(): readonly (string | undefined)[] {
    return [...this.#rows.values()].map((row) => row.owner);
  }

  expectBalance(): void {
    const counts = new Map([...this.#workers.keys()].map((name) => [name, 0]));
    for (const owner of this.owners()) {
      expect(owner === undefined ? undefined : counts.has(owner)).toBe(true);
      counts.set(owner ?? "", (counts.get(owner ?? "") ?? 0) + 1);
    }
    const sorted = [...counts.values()].sort((a, b) => a - b);
    expect((sorted.at(-1) ?? 0) - (sorted[0] ?? 0)).toBeLessThanOrEqual(1);
  }

  #any(): string {
    const names = [...this.#workers.keys()];
    return names[Math.floor(this.#random() * names.length)] ?? "";
  }
}

/** A small deterministic generator (a 32-bit xorshift), so that a failing seed can be run again. */
function generator(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function view(seen: Observation, facts: Partial<AssignmentView> = {}): AssignmentView {
  return {
    leases: seen,
    workerId: "me",
    nowMs: 0,
    firstPass: false,
    busy: new Set(),
    requested: new Set(),
    expected: new Set(),
    atOnce: 1_000,
    random: Math.random,
    ...facts,
  };
}

/**
 * What is taken, as sorted `shard how`, of leases seen now for the first time or watched before.
 */
function take(
  leases: readonly Lease[] | Observation,
  facts: Partial<AssignmentView> = {},
  settings: Partial<AssignmentSettings> = {},
): readonly string[] {
  const seen = "get" in leases ? leases : observe(NOTHING_SEEN, leases, 0);
  const { take } = assign(view(seen, facts), { ...SETTINGS, ...settings });
  expect(take.every((each) => !hasEnded(each.lease))).toBe(true);
  return take.map((each) => `${each.lease.shardId} ${each.how}`).sort();
}

function owned(owner: string, ...ids: readonly string[]): readonly Lease[] {
  return ids.map((id) => lease(id, { owner, counter: 1 }));
}

function busy(...ids: readonly string[]): { readonly busy: ReadonlySet<string> } {
  return { busy: new Set(ids) };
}

function ended(from: Lease): Lease {
  return { ...from, checkpoint: { sequenceNumber: "SHARD_END", subSequenceNumber: 0 } };
}
