// A traceback appears once in a log: as it comes, or else with the failure.

import { describe, expect, it } from "vitest";
import { ChildFailed } from "../../src/child/childFailed.ts";
import { type LogLevel, logEvents } from "../../src/listeners/log.ts";

const shardId = "shardId-000000000000";
const TRACEBACK = ["Traceback (most recent call last):", "ValueError: cat"];

function failure(lastStderr: readonly string[] = TRACEBACK): ChildFailed {
  const facts = {
    shardId,
    argv: ["app"],
    pid: 7,
    waitingFor: "processRecords",
    reason: "exit",
  } as const;
  return new ChildFailed(
    { ...facts, lastStdout: ["junk"], lastStderr },
    "exited with code 1",
    "See why.",
  );
}

function logged(level: LogLevel, format: "json" | "text", dropped = 0): string {
  let text = "";
  const write = (line: string) => {
    text += line;
  };
  const emit = logEvents({ level, format, now: () => 0, write });
  emit({ type: "childStarted", shardId, pid: 7, argv: ["app"] });
  for (const line of TRACEBACK.slice(dropped)) {
    emit({ type: "childOutput", shardId, pid: 7, stream: "stderr", line });
  }
  if (dropped > 0)
    emit({ type: "childOutputDropped", shardId, pid: 7, stream: "stderr", lines: dropped });
  const none = {
    cause: "exit",
    records: 0,
    first: undefined,
    last: undefined,
    retryInMs: undefined,
  };
  emit({ type: "childFailed", shardId, attempt: 1, error: failure(), next: "restart", ...none });
  return text;
}

const times = (text: string, part: string) =>
  text.split("\n").filter((line) => line.includes(part)).length;

describe.each(["json", "text"] as const)("in %s", (format) => {
  it.each(["trace", "info"] as const)(
    "a traceback that was logged as it came is not quoted (%s)",
    (level) => {
      const text = logged(level, format);
      expect(times(text, "ValueError: cat")).toBe(1);
      expect(text).toContain("exited with code 1");
      expect(text).toContain("Its output on STDERR is logged above.");
      expect(text).toContain("junk");
    },
  );

  it("it is quoted where such lines are not logged, and where some were dropped", () => {
    expect(logged("warn", format)).toContain("ValueError: cat");
    expect(logged("info", format, 2)).toContain("ValueError: cat");
  });
});

it("a child that wrote nothing is said to have written nothing", () => {
  expect(failure([]).withoutStderr).toBe(failure([]).message);
  expect(failure([]).withoutStderr).toContain("It wrote nothing to STDERR.");
});
