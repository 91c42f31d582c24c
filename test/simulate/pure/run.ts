// One run of decisions alone: nothing is promised, so nothing has to settle, and a run takes milliseconds.

import { type Outcome, type Run, World } from "../world.ts";
import { PureFleet } from "./fleet.ts";

export function runPure(options: Run): Outcome {
  const world = new World({ brief: true, ...options }, (parts) => new PureFleet(parts));
  for (const untilMs of world.live()) world.schedule.runAtOnce(untilMs, world.over);
  return world.outcome();
}
