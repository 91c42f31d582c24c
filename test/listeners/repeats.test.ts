// The failures that are logged.

import { expect, test } from "vitest";
import type { Event } from "../../src/events.ts";
import { Repeats } from "../../src/listeners/repeats.ts";
import { FailureReports } from "../../src/stream/calls/failureReports.ts";
import { ForeignPosition } from "../../src/stream/calls/readErrors.ts";

function reporting() {
  const [happened, events]: [Event[], Event[]] = [[], []];
  const time = { nowMs: 0 };
  const repeats = new Repeats();
  const reports = new FailureReports((event) => {
    happened.push(event);
    if (repeats.admits(event, time.nowMs)) events.push(event);
  });
  return { happened, events, time, reports };
}

const failure = (shardId?: string, error: Error = new Error("no")) => ({
  operation: "GetRecords",
  error,
  retryInMs: 100,
  ...(shardId && { shardId }),
});

test("reports the first failure, a reminder each minute, and the recovery", () => {
  const { happened, events, time, reports } = reporting();
  for (; time.nowMs < 150_000; time.nowMs += 1_000) reports.failed(failure("a"));
  reports.succeeded("GetRecords", "a");
  reports.succeeded("GetRecords", "a");
  expect(events).toMatchObject([
    { type: "serviceTrouble", shardId: "a", attempt: 1, retryInMs: 100 },
    { type: "serviceTrouble", shardId: "a", attempt: 61 },
    { type: "serviceTrouble", shardId: "a", attempt: 121 },
    { type: "serviceRecovered", shardId: "a", attempts: 150 },
  ]);
  // Whoever counts failures sees each of them.
  expect(happened).toHaveLength(151);
});

test("reports a failure of all shards once", () => {
  const { events, reports } = reporting();
  for (let shard = 0; shard < 256; shard += 1) reports.failed(failure());
  reports.succeeded("GetRecords", "a");
  reports.succeeded("GetRecords", "b");
  expect(events.map(({ type }) => type)).toEqual(["serviceTrouble", "serviceRecovered"]);
  expect(events[0]).not.toHaveProperty("shardId");
});

test("reports intermittent failures once a minute", () => {
  const { events, time, reports } = reporting();
  for (; time.nowMs < 60_000; time.nowMs += 1_000) {
    reports.failed(failure("a"));
    reports.succeeded("GetRecords", "a");
  }
  expect(events.map(({ type }) => type)).toEqual(["serviceTrouble", "serviceRecovered"]);
});

test("separates the failures of shards, and forgets those of a shard that is no longer read", () => {
  const { events, reports } = reporting();
  reports.failed(failure("a"));
  reports.succeeded("GetRecords", "b");
  reports.forget("a");
  reports.succeeded("GetRecords", "a");
  expect(events).toMatchObject([{ type: "serviceTrouble", shardId: "a" }]);
});

test("reports at once that a transient failure became one that needs an operator, and then once a minute", () => {
  const { events, time, reports } = reporting();
  const foreign = new ForeignPosition("words", "a", "a place in the old one");
  reports.failed(failure("a"));
  for (time.nowMs = 1_000; time.nowMs < 61_000; time.nowMs += 1_000) {
    reports.failed(failure("a", foreign));
    reports.failed(failure("a"));
  }
  expect(events).toMatchObject([
    { error: { message: "no" }, attempt: 1 },
    { error: foreign, attempt: 2 },
  ]);
});
