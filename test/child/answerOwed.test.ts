// The daemon reports a child that does not answer, whatever the action, and less and less often.

import { describe, expect, it } from "vitest";
import type { RecordProcessor } from "../../src/child/recordProcessor.ts";
import { batchOf, type Events, HandClock, record, START, startChild } from "./support.ts";

const BATCH = batchOf([record(1)]);

const turn = () => new Promise(setImmediate);

/** Advances the time second by second. @returns the seconds after which the child was reported. */
async function mentionedIn(seconds: number, clock: HandClock, events: Events): Promise<number[]> {
  const found: number[] = [];
  for (let second = 1; second <= seconds; second += 1) {
    const before = events.of("answerOwed").length;
    clock.advance(1_000);
    await turn();
    if (events.of("answerOwed").length > before) found.push(second);
  }
  return found;
}

const WAYS: Readonly<Record<string, (child: RecordProcessor) => Promise<unknown>>> = {
  initialize: (child) => child.initialize(START),
  processRecords: (child) => child.processRecords(BATCH, 0),
  shutdownRequested: (child) => child.shutdownRequested(),
  leaseLost: (child) => child.leaseLost(),
  shardEnded: (child) => child.shardEnded(),
};

describe("a child that does not answer", () => {
  it.each(Object.keys(WAYS))(
    "%s is mentioned after a minute, and whenever the wait has doubled",
    async (action) => {
      const clock = new HandClock();
      const { processor, events } = await startChild("falls-silent.js", [action], { clock });
      if (action !== "initialize") await processor.initialize(START);
      WAYS[action]?.(processor).catch(() => {});
      await events.until(() => events.lines("stderr").includes("silent"));
      expect(await mentionedIn(1_000, clock, events)).toEqual([60, 120, 240, 480, 960]);
      expect(events.of("answerOwed")[0]).toMatchObject({ action, elapsedMs: 60_000 });
    },
  );

  it("is not reported any more once it has ended", async () => {
    const clock = new HandClock();
    const { processor, events } = await startChild("falls-silent.js", ["initialize"], { clock });
    processor.initialize(START).catch(() => {});
    await events.until(() => events.lines("stderr").includes("silent"));
    processor.kill();
    await processor.exited;
    expect(await mentionedIn(300, clock, events)).toEqual([]);
  });
});

describe("a child that answers", () => {
  it("is not reported, however long its work and the gaps between its batches take", async () => {
    const clock = new HandClock();
    const { processor, events } = await startChild("well-behaved.js", [], { clock });
    await processor.initialize(START);
    for (let batch = 0; batch < 20; batch += 1) {
      expect(await mentionedIn(59, clock, events)).toEqual([]);
      await processor.processRecords(BATCH, 0);
    }
    expect(await mentionedIn(300, clock, events)).toEqual([]);
  });

  it("is not reported for the time in which its checkpoint is stored", async () => {
    const clock = new HandClock();
    let stored = () => {};
    let ask = () => {};
    const asked = new Promise<void>((resolve) => {
      ask = resolve;
    });
    const answer = () =>
      new Promise<void>((resolve) => {
        stored = resolve;
        ask();
      });
    const request = '{"action":"checkpoint","sequenceNumber":"1","subSequenceNumber":0}';
    const overrides = { clock, answer };
    const { processor, events } = await startChild("checkpoints.js", [request], overrides);
    await processor.initialize(START);
    const batch = processor.processRecords(BATCH, 0);
    await asked;
    expect(await mentionedIn(300, clock, events)).toEqual([]);
    stored();
    await batch;
  });
});
