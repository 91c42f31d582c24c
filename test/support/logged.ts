// Which events the log shows: it leaves out failures that repeat.

import type { Event } from "../../src/events.ts";
import { Repeats } from "../../src/listeners/repeats.ts";

/** Those of the events that are logged, if they all happen within a minute. */
export function logged(events: readonly Event[]): readonly Event[] {
  const repeats = new Repeats();
  return events.filter((event) => repeats.admits(event, 0));
}
