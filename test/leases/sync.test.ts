// Which leases shard sync creates, from the worked example of KCL's lease life cycle document and
// from random streams.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  firstLeases,
  missingLeases,
  type Tracked,
  trackedShards,
} from "../../src/leases/decisions/sync.ts";
import type { Lease, NewLease } from "../../src/leases/lease.ts";
import type { InitialPosition, Shard } from "../../src/model/shard.ts";
import { LAST_HASH_KEY } from "../../src/model/shard.ts";
import { shardsSideBySide } from "./fleet.ts";

const TRIM_HORIZON = { type: "TRIM_HORIZON" } as const;
const LATEST = { type: "LATEST" } as const;
const AT_TIMESTAMP = { type: "AT_TIMESTAMP", timestamp: new Date(0) } as const;

// 0 and 1 merged into 6, 2 and 3 into 7, 6 and 7 into 8; 5 was split into 9 and 10; 4 has been open
// all along.
const FAMILY = [
  shard(0, [], "closed"),
  shard(1, [], "closed"),
  shard(2, [], "closed"),
  shard(3, [], "closed"),
  shard(4, []),
  shard(5, [], "closed"),
  shard(6, [0, 1], "closed"),
  shard(7, [2, 3], "closed"),
  shard(8, [6, 7]),
  shard(9, [5]),
  shard(10, [5]),
];

describe("a table that has leases", () => {
  test.each<[InitialPosition, number[]]>([
    [LATEST, [6]],
    [TRIM_HORIZON, [0, 1]],
    [AT_TIMESTAMP, [0, 1]],
  ])("for 4, 5 and 7, at %o", (initial, expected) => {
    const { create } = missing(FAMILY, [4, 5, 7], initial);
    expect(create.map((lease) => lease.shardId)).toEqual(expected.map(String));
    expect(new Set(create.map((lease) => lease.checkpoint.sequenceNumber))).toEqual(
      new Set([initial.type]),
    );
  });

  test.each<[InitialPosition, number[]]>([
    [LATEST, [4, 8, 9, 10]],
    [TRIM_HORIZON, [0, 1, 2, 3, 4, 5]],
    [AT_TIMESTAMP, [0, 1, 2, 3, 4, 5]],
  ])("without any lease of this stream, at %o", (initial, expected) => {
    expect(missing(FAMILY, [], initial).create.map((lease) => lease.shardId)).toEqual(
      expected.map(String),
    );
  });

  test("needs nothing when every shard is reached", () => {
    for (const initial of [LATEST, TRIM_HORIZON, AT_TIMESTAMP]) {
      expect(missing(FAMILY, [0, 1, 2, 3, 4, 5], initial).create).toEqual([]);
    }
  });

  test("parents past retention, no longer listed, do not matter", () => {
    const young = FAMILY.filter(({ shardId }) => ["6", "7", "8"].includes(shardId));
    const ids = (initial: InitialPosition) =>
      missing(young, [], initial).create.map((lease) => lease.shardId);
    expect(ids(TRIM_HORIZON)).toEqual(["6", "7"]);
    expect(ids(LATEST)).toEqual(["8"]);
  });

  test("a lease carries its shard's parents and hash keys", () => {
    const [lease] = missing(FAMILY, [4, 5, 7], LATEST).create;
    expect(lease).toMatchObject({
      parentShardIds: ["0", "1"],
      hashKeyRange: FAMILY[6]?.hashKeyRange,
    });
  });

  test("a child of an open shard is a contradiction: no lease is created, or the child is skipped", () => {
    const odd = [shard(1, []), shard(2, [1]), shard(3, [])];
    expect(missingLeases(odd, new Map(), LATEST, false)).toEqual({
      create: [],
      overdue: [],
      unexpectedChildren: ["2"],
    });
    const ignoring = missingLeases(odd, new Map(), LATEST, true);
    expect(ignoring.create.map((lease) => lease.shardId)).toEqual(["1", "3"]);
  });

  test("the created leases reach every open shard, and a second sync creates none", () => {
    fc.assert(
      fc.property(
        streams,
        fc.constantFrom<InitialPosition>(LATEST, TRIM_HORIZON, AT_TIMESTAMP),
        (stream, initial) => {
          const tracked = begun(stream.tracked);
          const { create } = missingLeases(stream.shards, tracked, initial, false);
          for (const lease of create) expect(tracked.has(lease.shardId)).toBe(false);
          const after: Tracked = new Map([...tracked, ...trackedShards(create.map(asLease))]);
          const byId = new Map(stream.shards.map((each) => [each.shardId, each]));
          const led = (id: string): boolean =>
            after.has(id) || (byId.get(id)?.parentShardIds ?? []).some(led);
          for (const each of stream.shards) {
            if (each.endingSequenceNumber === undefined) expect(led(each.shardId)).toBe(true);
          }
          expect(missingLeases(stream.shards, after, initial, false).create).toEqual([]);
        },
      ),
    );
  });
});

describe("an empty table", () => {
  test("one lease for each shard listed, oldest first, all at the initial position", () => {
    const shards = shardsSideBySide(3);
    const first = firstLeases([...shards].reverse(), TRIM_HORIZON);
    if (!("create" in first)) throw new Error("it found a hole");
    expect(first.create.map((lease) => lease.shardId)).toEqual(shards.map((each) => each.shardId));
    for (const lease of first.create) {
      expect(lease.checkpoint).toEqual({ sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 });
    }
  });

  test("a listing that leaves out hash keys is refused", () => {
    const [first, , third] = shardsSideBySide(3);
    const second = { fromHashKey: expect.any(String), toHashKey: expect.any(String) };
    if (!first || !third) throw new Error("no shards");
    expect(firstLeases([first, third], LATEST)).toEqual({ hole: second });
    expect(firstLeases([], LATEST)).toEqual({
      hole: { fromHashKey: "0", toHashKey: String(LAST_HASH_KEY) },
    });
  });
});

/** Streams that split and merged at random, and a set of shards that have leases. */
const streams = fc
  .record({
    roots: fc.integer({ min: 1, max: 4 }),
    steps: fc.array(fc.record({ split: fc.boolean(), at: fc.nat() }), { maxLength: 10 }),
    tracked: fc.array(fc.nat({ max: 30 })),
  })
  .map(({ roots, steps, tracked }) => {
    const shards: Shard[] = Array.from({ length: roots }, (_, i) => shard(i, []));
    let open = shards.map((_, i) => i);
    for (const { split, at } of steps) {
      const parents =
        split || open.length < 2 ? [at % open.length] : [0, 1 + (at % (open.length - 1))];
      const ids = parents.map((index) => open[index] ?? 0);
      for (const id of ids)
        shards[id] = shard(id, shards[id]?.parentShardIds.map(Number) ?? [], "closed");
      open = open.filter((id) => !ids.includes(id));
      for (let n = ids.length === 1 ? 2 : 1; n > 0; n--) {
        open.push(shards.length);
        shards.push(shard(shards.length, ids));
      }
    }
    return { shards, tracked: tracked.filter((id) => id < shards.length).map(String) };
  });

function missing(shards: readonly Shard[], tracked: readonly number[], initial: InitialPosition) {
  return missingLeases(shards, begun(tracked.map(String)), initial, false);
}

function asLease(created: NewLease): Lease {
  return { ...created, counter: 0, ownerSwitchesSinceCheckpoint: 0, childShardIds: [] };
}

/** Rows that somebody reads by. */
function begun(ids: readonly string[]): Tracked {
  return new Map(ids.map((id) => [id, { state: "begun", parentShardIds: [] }]));
}

function shard(id: number, parents: readonly number[], closed?: "closed"): Shard {
  return {
    shardId: String(id),
    parentShardIds: parents.map(String),
    hashKeyRange: { startingHashKey: String(id * 10), endingHashKey: String(id * 10 + 9) },
    startingSequenceNumber: String(1000 + id),
    ...(closed && { endingSequenceNumber: String(2000 + id) }),
  };
}
