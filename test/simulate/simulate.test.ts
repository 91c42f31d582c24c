// Simulates a few dozen small fleets. `npm run simulate` runs any number. See README.md.

import { expect, test } from "vitest";
import { runStory, STORIES } from "./largeStories.ts";
import { runPure } from "./pure/run.ts";
import { run } from "./run.ts";
import { startTogether } from "./start.ts";

/** A few seconds on a quiet machine. */
const SEEDS = 40;
const PURE_SEEDS = 400;
const LIMIT_MS = 300_000;

test(
  "fleets of every kind keep the invariants of leases",
  async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violation } = await run({ seed });
      expect(violation, `npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
    }
  },
  LIMIT_MS,
);

test(
  "hundreds of small fleets keep them with decisions only",
  () => {
    for (let seed = 1; seed <= PURE_SEEDS; seed++) {
      const { violation } = runPure({ seed });
      expect(violation, `npm run simulate -- --pure --seed ${seed}`).toBeUndefined();
    }
  },
  LIMIT_MS,
);

test.each(STORIES)(
  "a fleet that %s is served, even and at rest after every incident",
  (story) => {
    const progress = [...runStory({ story, workers: 20, shards: 200 })];
    expect(progress.filter((each) => "failed" in each)).toEqual([]);
    const steps = progress.flatMap((each) => ("step" in each ? each.step : []));
    expect(steps.at(0)?.taken).toBeGreaterThanOrEqual(200);
  },
  LIMIT_MS,
);

test.each([false, true])(
  "the same seed gives the same run (decisions only: %s)",
  async (pure) => {
    const traces = await Promise.all(
      [1, 2].map(async () => {
        const lines: string[] = [];
        await run({ seed: 7, pure, trace: (line) => lines.push(line) });
        return lines;
      }),
    );
    expect(traces[0]?.length).toBeGreaterThan(50);
    expect(traces[0]).toEqual(traces[1]);
  },
  LIMIT_MS,
);

test(
  "a fleet that starts at once on an empty table creates its leases once, with few races",
  async () => {
    const workers = 10;
    const shards = 100;
    const cost = await startTogether(workers, shards);
    expect(cost.madeInVain).toBeLessThan(workers);
    expect(cost.takenInVain).toBeLessThan(shards);
  },
  LIMIT_MS,
);
