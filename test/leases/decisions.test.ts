// The small pure decisions around a lease: conflicts, trust, holes, audits, cleanup, strangers
// under our name.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { audit, isUnattended, leasesWithoutRange } from "../../src/leases/decisions/audit.ts";
import {
  childlessLeases,
  childrenListed,
  finishedLeases,
} from "../../src/leases/decisions/cleanup.ts";
import { findHole } from "../../src/leases/decisions/hashRangeHole.ts";
import { NOTHING_SEEN, observe } from "../../src/leases/decisions/observation.ts";
import { rescanMs } from "../../src/leases/decisions/scanPace.ts";
import { trackedShards } from "../../src/leases/decisions/sync.ts";
import { renewalIntervalMs, trustedUntilMs } from "../../src/leases/decisions/trust.ts";
import { explain } from "../../src/leases/holding/conflict.ts";
import { NO_UNHELD_LEASES, watchUnheldLeases } from "../../src/leases/holding/duplicateWorker.ts";
import { type Progress, progressOf } from "../../src/leases/holding/handover.ts";
import { isHousekeeper } from "../../src/leases/housekeeping.ts";
import type { Lease } from "../../src/leases/lease.ts";
import { SHARD_END } from "../../src/model/position.ts";
import { LAST_HASH_KEY } from "../../src/model/shard.ts";
import { within } from "../../src/signals.ts";
import { ClockByHand } from "./clockByHand.ts";
import { never, shardsSideBySide } from "./fleet.ts";
import { lease } from "./leases.ts";

describe("a write that failed its condition", () => {
  const mine = lease("a", { owner: "me", counter: 5 });

  /** Rows as a write without a response would have left them. */
  const kept = { ...mine, counter: 6 };
  const free = lease("a", { counter: 6 });
  const peers = { ...mine, owner: "peer", counter: 6 };

  test.each<[string, Lease | undefined, Lease | undefined, string]>([
    ["an earlier write came through unheard", kept, { ...mine, counter: 6 }, "ours"],
    ["the same, but nothing is in doubt", undefined, { ...mine, counter: 6 }, "duplicate"],
    ["two counters on", kept, { ...mine, counter: 7 }, "duplicate"],
    ["the old row was put back", undefined, mine, "ours"],
    ["another owner", kept, { ...mine, owner: "peer", counter: 6 }, "lost"],
    ["a handover from us", undefined, { ...mine, owner: "peer", checkpointOwner: "me" }, "ours"],
    ["one from somebody else", undefined, { ...mine, owner: "me", checkpointOwner: "x" }, "lost"],
    ["one from us to us", undefined, { ...mine, owner: "me", checkpointOwner: "me" }, "lost"],
    ["somebody asks for it", undefined, { ...mine, handoverTo: "peer" }, "ours"],
    ["no owner", undefined, lease("a", { counter: 6 }), "released"],
    ["no row", kept, undefined, "deleted"],
    ["an older row", kept, { ...mine, counter: 4 }, "lost"],
    ["an older row without owner", kept, lease("a", { counter: 4 }), "lost"],
    ["our release, and nobody has it", free, free, "released"],
    ["our release, and somebody goes on from it", free, { ...peers, counter: 7 }, "released"],
    ["our release, and somebody was faster", free, peers, "lost"],
    ["our release did not come through", free, mine, "ours"],
    ["our handover", peers, peers, "released"],
    ["our handover, and who got it has it no more", peers, { ...free, counter: 9 }, "released"],
    ["our handover, and another was faster", peers, { ...mine, owner: "x", counter: 6 }, "lost"],
    ["a handover of which nothing is in doubt", undefined, peers, "lost"],
  ])("%s", (_, doubtful, found, why) => {
    expect(explain(mine, doubtful, found, "me").why).toBe(why);
  });
});

describe("a request for a lease", () => {
  const asked = lease("a", { owner: "peer", counter: 5 });
  const waiting = { ...asked, handoverTo: "me" };

  test.each<[string, Lease | undefined, Progress]>([
    ["nothing has happened", waiting, "waiting"],
    ["its owner has answered", { ...waiting, counter: 6, handoverFrom: "peer" }, "accepted"],
    ["its owner writes and does not hear", { ...waiting, counter: 6 }, "ignored"],
    ["it is ours", lease("a", { owner: "me", counter: 7 }), "handedOver"],
    ["somebody else asked after us", { ...waiting, handoverTo: "x" }, "over"],
    ["somebody else has it", { ...waiting, owner: "x" }, "over"],
    ["it was released", lease("a", { counter: 6 }), "over"],
    ["its shard has ended", { ...waiting, checkpoint: SHARD_END }, "over"],
    ["a leader moves it", { ...waiting, owner: "x", checkpointOwner: "peer" }, "over"],
    ["no row", undefined, "over"],
  ])("%s", (_, now, progress) => {
    expect(progressOf(asked, now, "me")).toBe(progress);
  });
});

describe("trust", () => {
  test("ends before another worker may take the lease, which is a failover time after the write at the earliest", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.nat(1e9), (failover, start) => {
        expect(trustedUntilMs(start, failover)).toBeLessThan(start + failover);
      }),
    );
  });

  test("leaves time for two renewals that fail", () => {
    for (const failover of [1_000, 3_000, 10_000, 60_000]) {
      expect(2 * renewalIntervalMs(failover)).toBeLessThan(trustedUntilMs(0, failover));
    }
  });
});

describe("ageing", () => {
  test("counts from the last change of the counter that this worker saw, by its own clock", () => {
    const first = observe(NOTHING_SEEN, [lease("a", { owner: "x", counter: 1 })], 100);
    const same = observe(first, [lease("a", { owner: "x", counter: 1 })], 900);
    expect(same.get("a")?.changedMs).toBe(100);
    const moved = observe(same, [lease("a", { owner: "x", counter: 2 })], 1_000);
    expect(moved.get("a")?.changedMs).toBe(1_000);
    expect(observe(moved, [], 1_100).size).toBe(0);
  });

  test("distinguishes a row that was created again from the old row with the same counter", () => {
    const first = observe(NOTHING_SEEN, [lease("a", { owner: "x", counter: 1 })], 100);
    const another = lease("a", { owner: "y", counter: 1 });
    expect(observe(first, [another], 900).get("a")?.changedMs).toBe(900);
    const again = lease("a", { owner: "x", counter: 1, checkpoint: SHARD_END });
    expect(observe(first, [again], 900).get("a")?.changedMs).toBe(900);
    // The leader of a 3.x fleet stores the next owner, which does not show who processes the shard.
    const handedOver = lease("a", { owner: "y", checkpointOwner: "x", counter: 1 });
    expect(observe(first, [handedOver], 900).get("a")?.changedMs).toBe(100);
  });

  test("remembers since when a lease has had no owner", () => {
    const free = observe(NOTHING_SEEN, [lease("a")], 100);
    expect(observe(free, [lease("a", { counter: 3 })], 200).get("a")?.ownerlessSinceMs).toBe(100);
    const owned = observe(free, [lease("a", { owner: "x", counter: 1 })], 300);
    expect(owned.get("a")?.ownerlessSinceMs).toBeUndefined();
  });
});

describe("holes", () => {
  test("a full cover has none, in any order, with overlaps", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        fc.infiniteStream(fc.nat()),
        (a, b, seeds) => {
          const ranges = [...shardsSideBySide(a), ...shardsSideBySide(b)].map(
            (s) => s.hashKeyRange,
          );
          const mixed = ranges
            .map((range) => ({ range, key: seeds.next().value ?? 0 }))
            .sort((x, y) => x.key - y.key)
            .map(({ range }) => range);
          expect(findHole(mixed)).toBeUndefined();
        },
      ),
    );
  });

  test("a missing range is the hole, to the key", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 50 }), fc.nat(), (count, seed) => {
        const ranges = shardsSideBySide(count).map((each) => each.hashKeyRange);
        const [gone] = ranges.splice(seed % count, 1);
        expect(findHole(ranges)).toEqual({
          fromHashKey: gone?.startingHashKey,
          toHashKey: gone?.endingHashKey,
        });
      }),
    );
  });

  test("a range inside another one leaves no hole", () => {
    const [left, right] = shardsSideBySide(2).map((each) => each.hashKeyRange);
    if (!left || !right) throw new Error("no ranges");
    const inner = { startingHashKey: "5", endingHashKey: "9" };
    expect(findHole([left, inner, right])).toBeUndefined();
  });

  test("a single missing key is a hole", () => {
    const last = String(LAST_HASH_KEY);
    const before = String(LAST_HASH_KEY - 1n);
    expect(findHole([{ startingHashKey: "0", endingHashKey: before }])).toEqual({
      fromHashKey: last,
      toHashKey: last,
    });
  });
});

describe("an audit", () => {
  const shards = shardsSideBySide(3);
  const leases = shards.map(({ shardId, hashKeyRange }) => lease(shardId, { hashKeyRange }));

  test("counts how often in a row the same hole is found", () => {
    const [first, second, third] = leases;
    if (!first || !second || !third) throw new Error("no leases");
    const once = audit(undefined, [first, third], shards);
    expect(once?.times).toBe(1);
    expect(audit(once, [first, third], shards)?.times).toBe(2);
    expect(audit(once, [first, second], shards)?.times).toBe(1);
    expect(audit(once, leases, shards)).toBeUndefined();
  });

  test("ended leases cover nothing; ranges that rows lack come from the listing", () => {
    const [first, second, third] = leases;
    if (!first || !second || !third) throw new Error("no leases");
    expect(audit(undefined, [first, ended(second), third], shards)?.times).toBe(1);
    const bare = lease(second.shardId);
    expect(leasesWithoutRange([first, bare, third])).toEqual([bare]);
    expect(audit(undefined, [first, bare, third], shards)).toBeUndefined();
    expect(audit(undefined, [first, bare, third], [])?.times).toBe(1);
  });

  test("considers a hole unattended while no row is added or removed", () => {
    const look = (times: number, ...rows: string[]) => ({
      seen: { hole: { fromHashKey: "0", toHashKey: "9" }, times },
      rows: trackedShards(rows.map((id) => lease(id))),
    });
    expect(isUnattended(look(1, "a", "b"), look(2, "a", "b"))).toBe(true);
    expect(isUnattended(look(1, "a", "b"), look(2, "a", "b", "c"))).toBe(false);
    expect(isUnattended(look(1, "a", "b"), look(2, "a", "c"))).toBe(false);
    expect(isUnattended(look(1, "a", "b"), look(1, "a", "b"))).toBe(false);
  });
});

describe("cleanup", () => {
  const parent = ended(lease("p", { childShardIds: ["c1", "c2"] }));
  const begun = { checkpoint: { sequenceNumber: "7" as never, subSequenceNumber: 0 } };

  test("a finished lease is deleted when all its children have checkpoints", () => {
    const [one, two] = [lease("c1", begun), lease("c2", begun)];
    expect(finishedLeases([parent, one, two])).toEqual([parent]);
    expect(finishedLeases([parent, one, lease("c2")])).toEqual([]);
    expect(finishedLeases([parent, one])).toEqual([]);
  });

  test("parents are deleted before their children", () => {
    const child = ended(lease("c1", { childShardIds: ["g"], parentShardIds: ["p"] }));
    const grandchild = lease("g", { ...begun, parentShardIds: ["c1"] });
    expect(finishedLeases([ended(lease("p")), child, grandchild])).toEqual([]);
    expect(finishedLeases([child, grandchild])).toEqual([child]);
  });

  test("a lease that is not finished stays, whatever its children do", () => {
    const open = lease("p", { childShardIds: ["c1"] });
    expect(finishedLeases([open, lease("c1", begun)])).toEqual([]);
  });

  test("the children of a finished lease without known children come from the listing", () => {
    const lone = ended(lease("shardId-000000000009"));
    expect(childlessLeases([lone, parent])).toEqual([lone]);
    expect(childrenListed(lone, shardsSideBySide(2))).toEqual({ gone: true, children: [] });
    const [first, second] = shardsSideBySide(2);
    if (!first || !second) throw new Error("no shards");
    const child = { ...second, parentShardIds: [first.shardId] };
    expect(childrenListed(lease(first.shardId), [first, child])).toEqual({
      gone: false,
      children: [child.shardId],
    });
  });

  test("one worker of a fleet does it, and a lone worker always does", () => {
    const fleet = [lease("1", { owner: "b" }), lease("2", { owner: "a" }), lease("3")];
    expect(["a", "b"].map((worker) => isHousekeeper(fleet, worker))).toEqual([true, false]);
    expect(isHousekeeper([lease("1")], "z")).toBe(true);
  });
});

test("a duplicate worker is detected by counters that grow without our writes", () => {
  const at = (counter: number) => [lease("a", { owner: "me", counter })];
  let seen = watchUnheldLeases(NO_UNHELD_LEASES, at(5), "me", new Set());
  seen = watchUnheldLeases(seen, at(6), "me", new Set());
  seen = watchUnheldLeases(seen, at(5), "me", new Set());
  seen = watchUnheldLeases(seen, at(6), "me", new Set());
  expect(seen.get("a")?.renewals).toBe(1);
  expect(watchUnheldLeases(seen, at(7), "me", new Set()).get("a")?.renewals).toBe(2);
  expect(watchUnheldLeases(seen, at(7), "me", new Set(["a"])).size).toBe(0);
  expect(watchUnheldLeases(seen, at(7), "other", new Set()).size).toBe(0);
});

test("a counter that our own writes can explain does not indicate a duplicate worker", () => {
  const at = (counter: number) => [lease("a", { owner: "me", counter })];
  const none = new Set<string>();
  // A renewal that was given up came through late, and an old scan was followed by a new one.
  let seen = watchUnheldLeases(NO_UNHELD_LEASES, at(4), "me", none, () => 6);
  seen = watchUnheldLeases(seen, at(5), "me", none, () => 6);
  seen = watchUnheldLeases(seen, at(6), "me", none, () => 6);
  expect(seen.get("a")?.renewals).toBe(0);
  // Then we took it, and the response was lost.
  seen = watchUnheldLeases(seen, at(7), "me", none, () => 7);
  expect(seen.get("a")?.renewals).toBe(0);
  expect(watchUnheldLeases(seen, at(8), "me", none, () => 7).get("a")?.renewals).toBe(1);
});

test("an attempt is aborted when its time is over, or when its result is no longer needed", async () => {
  const clock = new ClockByHand();
  const untilAborted = (signal: AbortSignal) =>
    new Promise<string>((resolve) => {
      if (signal.aborted) resolve(String(signal.reason));
      signal.addEventListener("abort", () => resolve(String(signal.reason)), { once: true });
    });
  const slow = within(1_000, clock, never, untilAborted);
  clock.advance(1_000);
  expect(await slow).toMatch(/no answer within 1000 ms/);
  const over = new AbortController();
  const idle = within(1_000, clock, over.signal, untilAborted);
  over.abort("lost");
  expect(await idle).toBe("lost");
  expect(await within(1_000, clock, over.signal, untilAborted)).toBe("lost");
  expect(await within(1_000, clock, never, async () => "done")).toBe("done");
});

test("scans of a small table come often, those of a large one or a large fleet as rarely as Java's", () => {
  const rest = (leases: number, workers: number, failoverTimeMillis: number) =>
    rescanMs({ leases, workers }, failoverTimeMillis, () => 0.999);
  expect(rest(4, 1, 10_000)).toBeLessThan(1_000);
  expect(rest(4, 1, 300)).toBeLessThanOrEqual(100);
  expect(rest(10_000, 1, 10_000)).toBeGreaterThan(19_000);
  expect(rest(100_000, 1, 10_000)).toBeLessThanOrEqual(20_000);
  expect(rest(100, 1_000, 10_000)).toBeGreaterThan(19_000);
});

test("the scans of a fleet cost at most a tenth of its renewals", () => {
  const leases = 100;
  for (const workers of [5, 10, 30, 50]) {
    const restS = rescanMs({ leases, workers }, 10_000, () => 0.5) / 1_000;
    // A lease takes 350 bytes, a unit read costs a fifth of one written.
    const read = (workers / restS) * Math.ceil((leases * 350) / 4_096) * 0.5;
    expect(read / 5).toBeLessThanOrEqual(0.1 * leases * 0.3);
  }
});

function ended(from: Lease): Lease {
  return { ...from, checkpoint: { sequenceNumber: "SHARD_END", subSequenceNumber: 0 } };
}
