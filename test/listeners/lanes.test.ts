// What an operator sees of a shard that several children share.

import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/clock.ts";
import type { Event, Origin } from "../../src/events.ts";
import { logEvents } from "../../src/listeners/log.ts";
import { openTelemetry, type Telemetry } from "../../src/listeners/metrics/telemetry.ts";
import { shardDetail } from "../../src/listeners/state/snapshot.ts";
import { DaemonState } from "../../src/listeners/state.ts";
import { type Position, parsePosition, TRIM_HORIZON } from "../../src/model/position.ts";

const shardId = "shardId-000000000000";
const at = (n: number): Position => parsePosition(String(n), 0) ?? TRIM_HORIZON;

const batch = (lane: number, records: number, position: number): Event & Origin => ({
  ...{ type: "batchProcessed", shardId, lane, pid: 10 + lane, records, bytes: 10 * records },
  ...{ position: at(position), millisBehindLatest: 5, elapsedMs: 1 },
});

const EVENTS: readonly (Event & Origin)[] = [
  { type: "leaseTaken", shardId, how: "unowned" },
  { type: "lanesStarted", shardId, lanes: 2 },
  { type: "childStarted", shardId, lane: 0, pid: 10, argv: ["app"] },
  { type: "childStarted", shardId, lane: 1, pid: 11, argv: ["app"] },
  { type: "shardStarted", shardId, lane: 0, position: TRIM_HORIZON, elapsedMs: 1 },
  { type: "shardStarted", shardId, lane: 1, position: TRIM_HORIZON, elapsedMs: 1 },
  batch(0, 3, 9),
  batch(1, 2, 7),
  { type: "laneCheckpointed", shardId, lane: 0, position: at(9) },
  { type: "checkpointed", shardId, position: at(6) },
  { type: "childSampled", shardId, lane: 0, pid: 10, cpuMs: 1_000, rssBytes: 100 },
  { type: "childSampled", shardId, lane: 1, pid: 11, cpuMs: 2_000, rssBytes: 200 },
];
const FAILED: Event & Origin = {
  ...{ type: "childFailed", shardId, lane: 1, attempt: 1, error: new Error("no"), cause: "exit" },
  ...{ records: 0, first: undefined, last: undefined, next: "restart", retryInMs: 1 },
};

function detailAfter(...events: readonly (Event & Origin)[]) {
  const state = new DaemonState();
  for (const event of events) state.saw(event, 0);
  return shardDetail(shardId, state, { nowMs: 0, wallMs: 0 });
}

describe("the state of a shard with lanes", () => {
  it("has the sums of its lanes, and each lane", () => {
    expect(detailAfter(...EVENTS)).toMatchObject({
      state: "processing",
      pid: null,
      records: 5,
      position: "9",
      checkpoint: "6",
      lanes: [
        { lane: 0, state: "processing", pid: 10, records: 3, checkpoint: "9", restarts: 0 },
        { lane: 1, state: "processing", pid: 11, records: 2, checkpoint: null, restarts: 0 },
      ],
    });
  });

  it("shows that one lane restarts, and which", () => {
    const exited = { type: "childExited", shardId, lane: 1, pid: 11, exitCode: 3 } as const;
    const detail = detailAfter(...EVENTS, { ...exited, expected: false }, FAILED);
    expect(detail).toMatchObject({ state: "restarting", restarts: 1 });
    expect(detail?.lanes).toMatchObject([
      { state: "processing", pid: 10 },
      { state: "restarting", pid: null, restarts: 1 },
    ]);
  });

  it("forgets the lanes with the lease", () => {
    const detail = detailAfter(...EVENTS, { type: "leaseReleased", shardId });
    expect(detail).toMatchObject({ state: "released" });
    expect(detail).not.toHaveProperty("lanes");
  });
});

describe("the metrics of a shard with lanes", () => {
  let telemetry: Telemetry | undefined;
  afterEach(() => telemetry?.close());

  it("have a label for the lane, where a lane is measured", async () => {
    const names = { applicationName: "a", streamName: "s", workerId: "w", version: "1" };
    telemetry = await openTelemetry({ ...names, pushes: false, clock: systemClock });
    for (const event of [...EVENTS, FAILED]) telemetry.saw(event);
    const text = telemetry.prometheusText();
    for (const sample of [
      `records_total{shard="${shardId}",lane="0"} 3`,
      `records_total{shard="${shardId}",lane="1"} 2`,
      `child_memory_bytes{shard="${shardId}",lane="1"} 200`,
      `child_failures_total{shard="${shardId}",lane="1",cause="exit",next="restart"} 1`,
      `checkpoints_total{shard="${shardId}"} 1`,
    ]) {
      expect(text).toContain(`kinesis_multilang_${sample}`);
    }
  });
});

describe("the log of a shard with lanes", () => {
  it.each([
    ["text", `INFO  ${shardId} lane 1 Started child 11: app`],
    ["json", '"lane":1'],
  ] as const)("names the lane as %s", (format, expected) => {
    const lines: string[] = [];
    const write = (line: string) => lines.push(line);
    const log = logEvents({ level: "info", format, now: () => 0, write });
    log({ type: "childStarted", shardId, lane: 1, pid: 11, argv: ["app"] });
    expect(lines.join("")).toContain(expected);
  });
});
