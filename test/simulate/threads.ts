// Many seeds on all processors. Which thread runs a seed changes nothing about the run.

import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Outcome, Run } from "./world.ts";

/** @param ended is told each outcome, in the order in which they come; false = begin no more. */
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
