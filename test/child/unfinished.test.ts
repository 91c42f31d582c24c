// Lines of a child without a line end: they are shown after a second; messages are still read
// whole.

import { expect, it } from "vitest";
import { HandClock, START, startChild } from "./support.ts";

/** Advances the time by seconds until something is found. */
async function seconds(clock: HandClock, seen: () => boolean): Promise<void> {
  while (!seen()) {
    clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

it("text on STDERR without a line end is passed on after a second, and the later line end adds no line", async () => {
  const clock = new HandClock();
  const { processor, events } = await startChild("prompts.js", [], { clock });
  await seconds(clock, () => events.lines("stderr").length > 0);
  expect(events.lines("stderr")).toEqual(["one"]);
  await processor.initialize(START);
  await events.until(() => events.lines("stderr").includes("two"));
  // The child itself wrote the blank line.
  expect(events.lines("stderr")).toEqual(["one", "", "two"]);
});

it("a message that has no line end yet is shown once, and read whole when the line ends", async () => {
  const clock = new HandClock();
  const { processor, events } = await startChild("prompts.js", ["stdout"], { clock });
  await seconds(clock, () => events.lines("stdout").length > 0);
  for (let more = 0; more < 5; more += 1) {
    clock.advance(1_000);
    await new Promise(setImmediate);
  }
  expect(events.lines("stdout")).toEqual([
    '{"action":"status", (without a line end; the daemon reads the message when its line ends)',
  ]);
  await processor.initialize(START);
  expect(events.of("protocolWarning")).toEqual([]);
});
