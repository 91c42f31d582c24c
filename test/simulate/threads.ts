// Runs many seeds on all cores. Which thread runs a seed does not affect the run.

import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Outcome, Run } from "./world.ts";

/**
 * @param ended receives each result, in order of arrival; if it returns false, no more runs start.
 */
export async function runOnThreads(
  runs: Iterable<Run>,
  ended: (outcome: Outcome) => boolean,
): Promise<void> {
  const left = runs[Symbol.iterator]();
  let goOn = true;
  const threads = Array.from({ length: availableParallelism() }, async () => {
    const thread = new Worker(new URL("./thread.js", import.meta.url));
    try {
      for (let next = left.next(); goOn && !next.done; next = left.next()) {
        thread.postMessage(next.value);
        const [outcome]: Outcome[] = await once(thread, "message");
        if (outcome) goOn = ended(outcome) && goOn;
      }
    } finally {
      await thread.terminate();
    }
  });
  await Promise.all(threads);
}
