// Events as log lines.

import { expect, test } from "vitest";
import type { Event } from "../../src/events.ts";
import { logEvents } from "../../src/listeners/log.ts";

/** The line of an event, read again. */
function lineOf(event: Event): Record<string, unknown> {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  logEvents({ level: "trace", format: "json", now: () => 0, write })(event);
  return JSON.parse(lines.join("")) as Record<string, unknown>;
}

test("an event that has a message of its own still has a line with a full sentence", () => {
  const refused = { type: "checkpointRefused", shardId: "s", error: "X", message: "why" } as const;
  expect(lineOf(refused)).toEqual({
    time: "1970-01-01T00:00:00.000Z",
    level: "warn",
    event: "checkpointRefused",
    message: "Refused a checkpoint with X: why",
    shardId: "s",
    error: "X",
  });
  const warning = { type: "protocolWarning", shardId: "s", pid: 7, message: "odd" } as const;
  expect(lineOf(warning)["message"]).toBe("Child 7 deviates from the protocol: odd");
});

test("a line begins with its time, level, event and message", () => {
  const line = lineOf({ type: "configNotice", message: "good to know" });
  expect(Object.keys(line)).toEqual(["time", "level", "event", "message"]);
});
