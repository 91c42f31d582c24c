// One run of decisions only. It has no promises, so nothing has to settle, and it takes
// milliseconds.

import { type Outcome, type Run, World } from "../world.ts";
import { PureFleet } from "./fleet.ts";
import { rareSize } from "./rareSize.ts";

export function runPure(options: Run): Outcome {
  const world = new World(
    { brief: true, ...rareSize(options.seed), ...options },
    (parts) => new PureFleet(parts),
  );
  for (const untilMs of world.live()) world.schedule.runAtOnce(untilMs, world.over);
  return world.outcome();
}
