// One of the threads of `npm run simulate`. It receives runs one at a time and replies with their
// results. It can also receive a scenario of a large fleet, and replies with each step.

import { parentPort } from "node:worker_threads";
import { type Chapter, runStory } from "./largeStories.ts";
import { run } from "./run.ts";
import type { Run } from "./world.ts";

parentPort?.on("message", async (asked: Run | Chapter) => {
  if ("story" in asked) for (const progress of runStory(asked)) parentPort?.postMessage(progress);
  else parentPort?.postMessage(await run(asked));
});
