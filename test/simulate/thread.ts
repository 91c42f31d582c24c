// One of the threads of `npm run simulate`: it is sent runs, one at a time, and answers with their outcomes.

import { parentPort } from "node:worker_threads";
import { run } from "./run.ts";
import type { Run } from "./world.ts";

parentPort?.on("message", async (asked: Run) => parentPort?.postMessage(await run(asked)));
