// Lanes under any interleaving of deliveries, checkpoints, deaths, stops and lost leases.

import fc from "fast-check";
import { expect, it } from "vitest";
import { type Chances, type Story, seeded, World } from "./world.ts";

const NO_LIMIT = { maxLaneAheadBytes: 2 ** 40 };
const CALM: Chances = { death: 0, checkpoint: 0.3, loss: 0, stop: 0, goodbye: 1 };

const story = (keys: number) =>
  fc.array(fc.array(fc.nat(keys - 1), { maxLength: 10 }), { minLength: 1, maxLength: 12 });
const chances: fc.Arbitrary<Chances> = fc.record({
  death: fc.constantFrom(0, 0.02, 0.1),
  checkpoint: fc.constantFrom(0.1, 0.5, 1),
  loss: fc.constantFrom(0, 0.01),
  stop: fc.constantFrom(0, 0.01),
  goodbye: fc.constantFrom(0, 1),
});

it("keeps every promise, whatever happens to the lanes and to the lease", {
  timeout: 180_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      story(7),
      chances,
      fc.integer(),
      fc.constantFrom(1_000, 2 ** 40),
      fc.array(fc.oneof(fc.integer({ min: 2, max: 8 }), fc.constant("auto" as const)), {
        minLength: 1,
        maxLength: 4,
      }),
      async (keys, chance, seed, maxLaneAheadBytes, lanes) => {
        const world = new World(keys, chance, seeded(seed));
        for (let holder = 0; !world.hasEnded; holder += 1) {
          await world.hold(lanes[holder % lanes.length] ?? 2, { maxLaneAheadBytes });
        }
        world.check();
        expect(world.violations).toEqual([]);
      },
    ),
    { numRuns: 30 },
  );
});

it("replaces one dead lane alone: the records of the others are delivered once", async () => {
  await fc.assert(
    fc.asyncProperty(story(7), fc.integer(), async (keys: Story, seed) => {
      const world = new World(keys, { ...CALM, death: 0.05 }, seeded(seed));
      await world.hold(4, NO_LIMIT);
      const dead = new Set(
        world.events.flatMap((event) => (event.type === "childFailed" ? event.lane : [])),
      );
      for (const lanes of world.deliveries) {
        const [lane = -1] = lanes;
        if (!dead.has(lane)) expect(lanes).toEqual([lane]);
      }
      expect(world.violations).toEqual([]);
      expect(world.hasEnded).toBe(true);
    }),
    { numRuns: 50 },
  );
});

it("goes on although the lanes that hold it back checkpoint only at the end", async () => {
  const keys = Array.from({ length: 40 }, (_, batch) => [batch % 5, (batch * 3) % 7]);
  const world = new World(keys, { ...CALM, checkpoint: 0 }, seeded(1));
  await world.hold(4, { maxLaneAheadBytes: 1_000 });
  world.check();
  expect(world.violations).toEqual([]);
  expect(world.hasEnded).toBe(true);
  const held = world.events.filter(({ type }) => type === "laneHoldsBack");
  expect(held.length).toBeGreaterThan(0);
  expect(held.every(({ lane }) => lane !== undefined)).toBe(true);
});

it("adds lanes while the shard is behind, and each key stays in order", async () => {
  const keys = Array.from({ length: 60 }, (_, batch) => [batch % 5, (batch * 3) % 7, batch % 11]);
  const world = new World(keys, { ...CALM, death: 0.01 }, seeded(2));
  await world.hold("auto", NO_LIMIT);
  world.check();
  expect(world.violations).toEqual([]);
  expect(world.hasEnded).toBe(true);
  const changes = world.events.flatMap((event) => (event.type === "lanesChanged" ? event.to : []));
  expect(Math.max(...changes)).toBeGreaterThan(1);
});
