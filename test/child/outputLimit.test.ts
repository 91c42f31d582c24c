// How many lines of a child are passed on, and how the others are reported.

import { describe, expect, it } from "vitest";
import {
  BURST_LINES_MAX,
  LINES_PER_SECOND_MAX,
  limitOutput,
} from "../../src/child/process/outputLimit.ts";
import type { Event } from "../../src/events.ts";
import { Events, HandClock, SHARD } from "./support.ts";

const who = { shardId: SHARD, pid: 7 };
const output = (stream: "stdout" | "stderr", line = "x"): Event => ({
  type: "childOutput",
  ...who,
  stream,
  line,
});
const exited: Event = { type: "childExited", ...who, exitCode: 0, expected: true };

function limited() {
  const clock = new HandClock();
  const events = new Events();
  const emit = limitOutput({ emit: events.emit, clock });
  const write = (count: number, event: Event = output("stderr")) => {
    for (let left = count; left > 0; left--) emit(event);
  };
  /** Lets the second pass after which the dropped lines are reported. */
  const second = async () => {
    clock.advance(1_000);
    await Promise.resolve();
    await Promise.resolve();
  };
  return { clock, events, emit, write, second };
}

describe("the lines of a child", () => {
  it("pass as long as they arrive in bursts", async () => {
    const { events, write, second } = limited();
    write(BURST_LINES_MAX);
    expect(events.lines("stderr")).toHaveLength(BURST_LINES_MAX);
    for (let round = 1; round <= 5; round++) {
      await second();
      write(LINES_PER_SECOND_MAX);
    }
    expect(events.lines("stderr")).toHaveLength(BURST_LINES_MAX + 5 * LINES_PER_SECOND_MAX);
    expect(events.of("childOutputDropped")).toEqual([]);
  });

  it("are counted when they arrive too fast, and the count is reported each second", async () => {
    const { events, write, second } = limited();
    write(100_000);
    expect(events.all).toHaveLength(BURST_LINES_MAX);
    const dropped = { type: "childOutputDropped", ...who, stream: "stderr" };
    await second();
    expect(events.all.slice(BURST_LINES_MAX)).toEqual([{ ...dropped, lines: 99_000 }]);
    write(100_000);
    await second();
    expect(events.of("childOutputDropped").slice(1)).toEqual([{ ...dropped, lines: 99_900 }]);
    await second();
    expect(events.of("childOutputDropped")).toHaveLength(2);
  });

  it("are counted separately on STDOUT and STDERR, log messages included", () => {
    const { events, write } = limited();
    write(BURST_LINES_MAX + 5, output("stderr"));
    write(BURST_LINES_MAX, output("stdout"));
    write(3, { type: "childLog", ...who, level: "error", message: "x" });
    expect(events.lines("stdout")).toHaveLength(BURST_LINES_MAX);
    expect(events.of("childLog")).toEqual([]);
  });

  it("that were dropped are reported before the end of the child", () => {
    const { events, write, emit } = limited();
    write(BURST_LINES_MAX + 5);
    emit(exited);
    expect(events.all.slice(BURST_LINES_MAX)).toEqual([
      { type: "childOutputDropped", ...who, stream: "stderr", lines: 5 },
      exited,
    ]);
  });

  it("do not delay other events", () => {
    const { events, write, emit } = limited();
    write(BURST_LINES_MAX + 5);
    emit({ type: "protocolWarning", ...who, message: "odd" });
    expect(events.of("protocolWarning")).toHaveLength(1);
  });
});
