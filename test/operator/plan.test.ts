// Plans for moving checkpoints, tested on a small model of a stream and of KCL's reading: shards
// that split and merge, leases half-way through them, and consumers that continue from what the
// plan, or part of it, has written.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Lease } from "../../src/leases/lease.ts";
import { Lineage } from "../../src/operator/lineage.ts";
import { planReset, planSet } from "../../src/operator/plan.ts";
import { BEGINNING, begunTooEarly } from "../../src/operator/planRules.ts";
import type { Plan, Step } from "../../src/operator/planTypes.ts";
import { planRestore } from "../../src/operator/restorePlan.ts";
import {
  apply,
  consume,
  frontAt,
  type ModelLease,
  type ModelRecord,
  type ModelStream,
  positionBefore,
  progress,
  stream as streamOf,
  toLease,
  toShard,
} from "./streamModel.ts";

interface Case {
  readonly stream: ModelStream;
  readonly leases: ReadonlyMap<string, ModelLease>;
  readonly processed: ReadonlySet<ModelRecord>;
  readonly time: number;
}

/** A stream with a history, read up to somewhere. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    events: fc.array(fc.nat(1_000), { maxLength: 7 }),
    progress: fc.array(fc.nat(1_000), { minLength: 1, maxLength: 60 }),
    cleaned: fc.boolean(),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ events, progress: choices, cleaned, at }) => {
    const stream = streamOf(events);
    const { leases, processed } = progress(stream, choices, cleaned);
    return { stream, leases, processed, time: Math.round(at * stream.now) };
  });

function viewOf({ stream, leases }: Case, time: number, asked?: readonly string[]) {
  const shards = stream.shards.map(toShard);
  const rows = [...leases.values()].map(toLease);
  const front = frontAt(stream, time);
  const positions = new Map(
    front.map((shard) => [shard.id, positionBefore(stream, shard, time)] as const),
  );
  return {
    leases: rows,
    shards,
    lineage: new Lineage(shards, rows),
    front: new Set(front.map(({ id }) => id)),
    positions,
    asked,
  };
}

/** Each key's records in the order in which they were delivered. */
function expectOrder(delivered: readonly ModelRecord[]): void {
  const last = new Map<number, number>();
  for (const { key, time } of delivered) {
    expect(time).toBeGreaterThan(last.get(key) ?? -1);
    last.set(key, time);
  }
}

describe("a reset of everything", () => {
  it("delivers exactly the records from the moment on, each key in order", () => {
    fc.assert(
      fc.property(cases, (each) => {
        const plan = planReset(viewOf(each, each.time));
        expect(plan.refusals).toEqual([]);
        const delivered = consume(each.stream, apply(each.leases, plan.steps));
        expectOrder(delivered);
        const wanted = each.stream.records.filter(({ time }) => time >= each.time);
        expect(new Set(delivered)).toEqual(new Set(wanted));
      }),
      { numRuns: 400 },
    );
  });

  it("skips no record and keeps the order of each key when it stops half-way", () => {
    fc.assert(
      fc.property(cases, fc.nat(20), (each, stop) => {
        const { steps } = planReset(viewOf(each, each.time));
        const delivered = consume(each.stream, apply(each.leases, steps.slice(0, stop)));
        // Records that were processed before may be delivered again.
        expectOrder(delivered.filter((record) => !each.processed.has(record)));
        const unread = each.stream.records.filter(
          (record) => record.time >= each.time && !each.processed.has(record),
        );
        expect(unread.filter((record) => !delivered.includes(record))).toEqual([]);
      }),
      { numRuns: 400 },
    );
  });

  it("is undone by a restore of the leases that it changed", () => {
    fc.assert(
      fc.property(cases, fc.nat(8), (each, reads) => {
        const { steps } = planReset(viewOf(each, each.time));
        const later = apply(each.leases, steps);
        const delivered = consume(each.stream, later, reads);
        const restored = apply(later, restorePlan(each, steps, later).steps);
        for (const [id, { at }] of each.leases) {
          if (steps.some(({ shardId }) => shardId === id)) expect(restored.get(id)?.at).toBe(at);
        }
        const rows = [...restored.values()].map(toLease);
        expect(begunTooEarly(rows, new Lineage(each.stream.shards.map(toShard), rows))).toEqual([]);
        const again = consume(each.stream, restored);
        expectOrder(again);
        const unread = each.stream.records.filter((record) => !each.processed.has(record));
        const read = new Set([...delivered, ...again]);
        expect(unread.filter((record) => !read.has(record))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a reset of some shards", () => {
  it("skips no record outside of the named shards, and keeps the order of each key", () => {
    fc.assert(
      fc.property(cases, fc.nat(1_000), (each, choice) => {
        const asked = [each.stream.shards[choice % each.stream.shards.length]?.id ?? ""];
        const view = viewOf(each, each.time, asked);
        const plan = planReset(view);
        if (plan.refusals.length > 0) return;
        const delivered = consume(each.stream, apply(each.leases, plan.steps));
        expectOrder(delivered);
        const scope = new Set([...asked, ...view.lineage.descendants(asked)]);
        const unread = each.stream.records.filter((record) =>
          scope.has(record.shardId) ? record.time >= each.time : !each.processed.has(record),
        );
        expect(unread.filter((record) => !delivered.includes(record))).toEqual([]);
      }),
      { numRuns: 600 },
    );
  });

  it("is refused when records of an unfinished parent would be skipped", () => {
    // shard-0 was merged with shard-1 into shard-2; shard-1 is half-way.
    const leases = [
      lease("0", "SHARD_END"),
      lease("1", "5"),
      lease("2", "TRIM_HORIZON", ["0", "1"]),
    ];
    const shards = [shard("0", [], true), shard("1", [], true), shard("2", ["0", "1"])];
    const lineage = new Lineage(shards, leases);
    const positions = new Map([["2", { sequenceNumber: "9" as never, subSequenceNumber: 0 }]]);
    const view = { leases, shards, lineage, front: new Set(["2"]), positions };
    expect(planReset({ ...view, asked: ["0"] }).refusals).toEqual([
      expect.stringMatching(/^2 is also a descendant of 1.*would be skipped.*--shard 1/),
    ]);
    expect(planReset({ ...view, asked: ["0", "1"] }).steps.map(stepText)).toEqual([
      "2 9",
      "1 SHARD_END",
    ]);
  });

  it("is refused for a shard that the stream does not list", () => {
    const plan = planReset({ ...viewOfTwo(), asked: ["7"] });
    expect(plan.refusals).toEqual([expect.stringMatching(/^The stream does not list 7:/)]);
  });
});

describe("a lease that a worker holds", () => {
  it("is written with its parent even at its beginning, because the worker may be reading", () => {
    const owned = { ...lease("1", "TRIM_HORIZON", ["0"]), owner: "w" };
    const view = viewOfTwo([lease("0", "SHARD_END"), owned]);
    expect(planReset(view).steps.map(stepText)).toEqual(["0 TRIM_HORIZON", "1 TRIM_HORIZON"]);
    const free = viewOfTwo([lease("0", "SHARD_END"), lease("1", "TRIM_HORIZON", ["0"])]);
    expect(planReset(free)).toMatchObject({ unchanged: ["1"] });
  });
});

describe("set", () => {
  const at = (sequenceNumber: string) =>
    new Map([["0", { sequenceNumber: sequenceNumber as never, subSequenceNumber: 0 }]]);

  it("writes the named lease and no other", () => {
    const view = viewOfTwo([lease("0", "5"), lease("1", "TRIM_HORIZON", ["0"])]);
    const plan = planSet({ ...view, positions: at("3"), asked: ["0"] });
    expect(plan.steps.map(stepText)).toEqual(["0 3"]);
  });

  it.each([
    [
      "a child has begun",
      [lease("0", "SHARD_END"), lease("1", "8", ["0"])],
      /^1 descends from 0, and has already begun.*reset --shard 0/,
    ],
    [
      "a child may have begun",
      [lease("0", "SHARD_END"), { ...lease("1", "TRIM_HORIZON", ["0"]), owner: "w" }],
      /^1 descends from 0/,
    ],
    ["there is no lease", [lease("1", "8", ["0"])], /^0 has no lease/],
  ])("is refused when %s", (_, leases, message) => {
    const plan = planSet({ ...viewOfTwo(leases), positions: at("3"), asked: ["0"] });
    expect(plan.steps).toEqual([]);
    expect(plan.refusals).toEqual([expect.stringMatching(message)]);
  });

  it("is refused when a grandchild would not wait because its parent has no lease", () => {
    const shards = [shard("0", [], true), shard("1", ["0"], true), shard("2", ["1"])];
    const leases = [lease("0", "SHARD_END"), lease("2", "TRIM_HORIZON", ["1"])];
    const lineage = new Lineage(shards, leases);
    const view = { leases, shards, lineage, front: new Set(["0"]), positions: at("3") };
    expect(planSet({ ...view, asked: ["0"] }).refusals).toEqual([
      expect.stringMatching(/^2 descends from 0/),
    ]);
  });

  it("is refused for a position behind an unfinished parent", () => {
    const view = viewOfTwo([lease("0", "5"), lease("1", "TRIM_HORIZON", ["0"])]);
    const positions = new Map([["1", { sequenceNumber: "9" as never, subSequenceNumber: 0 }]]);
    expect(planSet({ ...view, positions, asked: ["1"] }).refusals).toEqual([
      expect.stringMatching(/^1 is also a descendant of 0/),
    ]);
    const beginning = new Map([["1", BEGINNING]]);
    expect(planSet({ ...view, positions: beginning, asked: ["1"] }).refusals).toEqual([]);
  });
});

it("finds leases that have begun before their ancestors are finished", () => {
  const leases = [lease("0", "5"), lease("1", "8", ["0"]), lease("2", "LATEST", ["0"])];
  expect(begunTooEarly(leases, new Lineage([], leases))).toEqual(["1"]);
  const finished = [lease("0", "SHARD_END"), lease("1", "8", ["0"])];
  expect(begunTooEarly(finished, new Lineage([], finished))).toEqual([]);
});

function stepText({ shardId, to }: Step): string {
  return `${shardId} ${to.sequenceNumber}`;
}

function viewOfTwo(leases: readonly Lease[] = []) {
  const shards = [shard("0", [], true), shard("1", ["0"])];
  const lineage = new Lineage(shards, leases);
  return { leases, shards, lineage, front: new Set(["0"]), positions: new Map(), asked: undefined };
}

function shard(shardId: string, parentShardIds: readonly string[], closed = false) {
  const hashKeyRange = { startingHashKey: "0", endingHashKey: "1" };
  const end = closed ? { endingSequenceNumber: "9" } : {};
  return { shardId, parentShardIds, hashKeyRange, startingSequenceNumber: "0", ...end };
}

function lease(shardId: string, checkpoint: string, parentShardIds: readonly string[] = []): Lease {
  return {
    shardId,
    counter: 1,
    checkpoint: { sequenceNumber: checkpoint as never, subSequenceNumber: 0 },
    ownerSwitchesSinceCheckpoint: 0,
    parentShardIds,
    childShardIds: [],
  };
}

function restorePlan(
  { leases, stream: { shards } }: Case,
  steps: readonly Step[],
  now: ReadonlyMap<string, ModelLease>,
): Plan {
  const rows = steps.flatMap(({ shardId }) => {
    const before = leases.get(shardId);
    return before
      ? [{ type: "lease", key: shardId, lease: toLease(before), stored: {} } as const]
      : [];
  });
  const made = steps
    .filter(({ shardId }) => !leases.has(shardId))
    .map(({ shardId, undo }) => ({ shardId, ...(undo && { undo }) }));
  const backup = {
    tableName: "t",
    savedAt: "",
    command: "",
    rows,
    made,
    shards: shards.map(toShard),
  };
  const plan = planRestore(backup, [...now.values()].map(toLease));
  expect(plan.steps.every((step) => step.stored || step.create || now.has(step.shardId))).toBe(
    true,
  );
  return plan;
}
