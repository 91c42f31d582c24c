// Causes one fault after another, some at the same time, until the time is over and the last fault
// has ended.

import { systemClock } from "../../src/clock.ts";
import { nowMs } from "./faultLog.ts";
import type { Field } from "./faults.ts";
import type { Options } from "./options.ts";

export async function attack(
  field: Omit<Field, "peace">,
  { faults, pauseMs }: Options,
  lengthMs: number,
): Promise<void> {
  const { random, fleet } = field;
  const peace = new AbortController();
  const untilMs = nowMs() + lengthMs;
  const going = new Set<Promise<void>>();
  while (nowMs() < untilMs) {
    // The pauses are exponentially distributed: mostly short, sometimes long.
    await systemClock.sleep(-Math.log(1 - random.next()) * pauseMs);
    const fault = random.weighted(faults);
    if (!fault) continue;
    const run = fault
      .run({ ...field, peace: peace.signal }, fault.name)
      .catch((error: unknown) => console.error(`${fault.name}:`, error))
      .finally(() => going.delete(run));
    going.add(run);
  }
  peace.abort();
  await Promise.all(going);
  for (const member of fleet) {
    member.kinesis.clear();
    member.dynamo.clear();
  }
}
