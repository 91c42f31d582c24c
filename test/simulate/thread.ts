// One of the threads of `npm run simulate`: it is sent runs, one at a time, and answers with their outcomes; or the story of a
// large fleet, and answers with each step.

import { parentPort } from "node:worker_threads";
import { type Chapter, tell } from "./largeStories.ts";
import { run } from "./run.ts";
import type { Run } from "./world.ts";

parentPort?.on("message", async (asked: Run | Chapter) => {
  if ("story" in asked) for (const told of tell(asked)) parentPort?.postMessage(told);
  else parentPort?.postMessage(await run(asked));
});
