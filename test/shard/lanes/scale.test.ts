import fc from "fast-check";
import { expect, it } from "vitest";
import { LANES_MAX, type LanesSeen, lanesFor } from "../../../src/shard/lanes/scale.ts";

const SEEN: LanesSeen = { lanes: 4, busy: 1, behindMs: 60_000, bytesPerSecond: 1_000 };

it.each([
  ["adds lanes while the shard is behind and all are busy", SEEN, undefined, 8],
  ["adds none at the tip", { ...SEEN, behindMs: 0 }, undefined, 4],
  ["adds none while some are idle", { ...SEEN, busy: 0.5 }, undefined, 4],
  ["adds more when the last ones have helped", SEEN, { ...SEEN, lanes: 2, bytesPerSecond: 600 }, 8],
  ["adds none when the last ones have not", SEEN, { ...SEEN, lanes: 2, bytesPerSecond: 950 }, 4],
  ["takes lanes away while most are idle", { ...SEEN, behindMs: 0, busy: 0.2 }, undefined, 2],
  ["keeps one", { ...SEEN, lanes: 1, behindMs: 0, busy: 0 }, undefined, 1],
] as const)("%s", (_, now, before, lanes) => {
  expect(lanesFor(now, before)).toBe(lanes);
});

it("settles: with the same work, lanes that were taken away are not added again", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: LANES_MAX }),
      fc.double({ min: 0, max: 1 }),
      (lanes, busy) => {
        const work = lanes * busy;
        const fewer = lanesFor({ ...SEEN, lanes, busy, behindMs: 0 });
        if (fewer === lanes) return;
        const after = { ...SEEN, lanes: fewer, busy: Math.min(1, work / fewer) };
        expect(lanesFor(after)).toBe(fewer);
      },
    ),
  );
});
