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

test("a component may have a level of its own, which may change at any time", () => {
  const seen: string[] = [];
  const levels = new Map([["leases", "trace"]] as const);
  const write = (line: string) => void seen.push(String(JSON.parse(line).event));
  const emit = logEvents({ level: "error", levels, format: "json", now: () => 0, write });
  const happen = () => {
    emit({ type: "leaseRenewed", shardId: "s" });
    emit({ type: "daemonReady" });
    emit({ type: "iteratorExpired", shardId: "s" });
  };
  happen();
  expect(seen).toEqual(["leaseRenewed"]);
  levels.clear();
  happen();
  expect(seen).toEqual(["leaseRenewed"]);
});

test("the shard of one of several streams is shown with its stream", () => {
  const shardId = "123456789012:orders:1700000000:shardId-000000000001";
  expect(lineOf({ type: "leaseRenewed", shardId })).toMatchObject({
    streamName: "orders",
    shardId: "shardId-000000000001",
  });
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  logEvents({ level: "trace", format: "text", now: () => 0, write })({
    type: "leaseRenewed",
    shardId,
  });
  expect(lines[0]).toContain(" orders shardId-000000000001 ");
});
