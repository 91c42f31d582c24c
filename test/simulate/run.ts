// One run, of complete coordinators or only of their decisions.

import { Fleet } from "./fleet.ts";
import { runPure } from "./pure/run.ts";
import { type Outcome, type Run, World } from "./world.ts";

export async function run(options: Run): Promise<Outcome> {
  if (options.pure) return runPure(options);
  const world = new World(options, (parts) => new Fleet(parts));
  const { stackTraceLimit } = Error;
  // Many errors are created and none is shown, such as lost responses and aborts.
  if (!options.trace) Error.stackTraceLimit = 0;
  try {
    for (const untilMs of world.live()) await world.schedule.runUntil(untilMs, world.over);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
  return world.outcome();
}
