// Lines of a child that have no end: shown after a second, while messages are still read whole.

import { expect, it } from "vitest";
import { HandClock, START, startChild } from "./support.ts";

/** Seconds pass until something is seen. */
async function seconds(clock: HandClock, seen: () => boolean): Promise<void> {
  while (!seen()) {
    clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

it("what a child writes on STDERR without a line end is passed on after a second, and its end is no line", async () => {
  const clock = new HandClock();
  const { processor, events } = await startChild("prompts.js", [], { clock });
  await seconds(clock, () => events.lines("stderr").length > 0);
  expect(events.lines("stderr")).toEqual(["one"]);
  await processor.initialize(START);
  await events.until(() => events.lines("stderr").includes("two"));
  // The blank line is the child's own.
  expect(events.lines("stderr")).toEqual(["one", "", "two"]);
});

it("a message that has no end yet is shown once, and read whole when that comes", async () => {
  const clock = new HandClock();
  const { processor, events } = await startChild("prompts.js", ["stdout"], { clock });
  await seconds(clock, () => events.lines("stdout").length > 0);
  for (let more = 0; more < 5; more += 1) {
    clock.advance(1_000);
    await new Promise(setImmediate);
  }
  expect(events.lines("stdout")).toEqual([
    '{"action":"status", (without a line end: it is read when that comes)',
  ]);
  await processor.initialize(START);
  expect(events.of("protocolWarning")).toEqual([]);
});
