// The metrics of Prometheus and OpenTelemetry, and the files for operators that name them.

import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Event } from "../../src/events.ts";
import { openTelemetry, type Telemetry } from "../../src/listeners/metrics/telemetry.ts";
import type { Position } from "../../src/model/position.ts";

const FOLDER = join(import.meta.dirname, "../../docs/operating");
const shardId = "shardId-000000000000";
const child = { shardId, pid: 7 };
const at: Position = { sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 };
const error = new Error("why");
const range = { records: 2, first: at, last: at };
const size = { records: 3, bytes: 30, millisBehindLatest: 1_500 };

/** One of each event that changes a metric. */
const EVENTS: readonly Event[] = [
  { type: "childStarted", ...child, argv: ["app"] },
  { type: "fetched", shardId, ...size, payloadBytes: 9 },
  { type: "batchSent", ...child, ...size, arrivedMs: 1_000, sentMs: 1_250 },
  { type: "batchProcessed", ...child, ...size, position: at, elapsedMs: 40 },
  { type: "checkpointed", shardId, position: at },
  { type: "checkpointRefused", shardId, error: "ShutdownException", message: "no" },
  {
    ...{ type: "childFailed", shardId, attempt: 1, error, cause: "exit", ...range },
    ...{ next: "restart", retryInMs: 1 },
  },
  { type: "childExited", ...child, exitCode: 3, expected: false },
  { type: "shardStuck", shardId, waitingFor: "child", step: "restartChild", quietMs: 1 },
  { type: "leaseTaken", shardId, how: "stolen", from: "other" },
  { type: "leaseLost", shardId: "another", reason: "gone" },
  { type: "leaseReleased", shardId: "another" },
  { type: "recordsBuried", shardId, ...range, condition: "attempts" },
  { type: "recordsExpired", shardId, checkpoint: at, first: at },
  { type: "eventLoopHeld", endangers: "leases", longestMs: 1, p99Ms: 1, periodMs: 1 },
  {
    ...{ type: "serviceCall", service: "kinesis", operation: "GetRecords" },
    ...{ elapsedMs: 12, bytes: 100, outcome: "ok" },
  },
  { type: "leaseCall", operation: "renew", shardId, elapsedMs: 3, outcome: "ok" },
  { type: "childSampled", ...child, cpuMs: 2_000, rssBytes: 4_096 },
  {
    ...{ type: "daemonSampled", cpuMs: 1, rssBytes: 1, heapBytes: 1, loopBusy: 0.5 },
    ...{ loopDelayMs: 2, bufferedBytes: 5, bufferLimitBytes: 10 },
  },
  {
    ...{ type: "leaseBalance", held: 1, target: 2, spillover: 0, workers: 3, leases: 6 },
    ...{ expired: 1, unowned: 2, neglected: 0, taking: 1 },
  },
  { type: "daemonReady" },
] as readonly Event[];

let open: Telemetry | undefined;
afterEach(() => open?.close());

function telemetry(events: readonly Event[]): Telemetry {
  const names = { applicationName: "words", streamName: "w", workerId: "one", version: "1" };
  open = openTelemetry({ ...names, pushes: false });
  for (const event of events) open.saw(event);
  return open;
}

const textOf = (events: readonly Event[]) => telemetry(events).prometheusText();

/** `name{labels} value` of each sample, without the time. */
async function samples(events: readonly Event[]): Promise<readonly string[]> {
  const text = await textOf(events);
  return text.split("\n").filter((line) => line.startsWith("kinesis_multilang_"));
}

describe("the metrics", () => {
  it.each([
    `kinesis_multilang_records_total{shard="${shardId}"} 3`,
    `kinesis_multilang_lag_seconds{shard="${shardId}"} 1.5`,
    'kinesis_multilang_delivery_delay_seconds_bucket{le="0.25"} 1',
    "kinesis_multilang_batch_seconds_sum 0.04",
    'kinesis_multilang_child_exits_total{cause="code 3"} 1',
    `kinesis_multilang_child_cpu_seconds_total{shard="${shardId}"} 2`,
    'kinesis_multilang_dead_letters_total{condition="attempts"} 2',
    "kinesis_multilang_leases_unowned 2",
    "kinesis_multilang_ready 1",
    'kinesis_multilang_calls_seconds_count{service="kinesis",operation="GetRecords",outcome="ok"} 1',
  ])("have %s", async (sample) => {
    expect(await samples(EVENTS)).toContain(sample);
  });

  it("forget the lag of a shard that another worker reads", async () => {
    const after = await samples([...EVENTS, { type: "leaseReleased", shardId }]);
    expect(after.filter((line) => line.startsWith("kinesis_multilang_lag_seconds"))).toEqual([]);
    expect(after).toContain(`kinesis_multilang_records_total{shard="${shardId}"} 3`);
  });
});

describe("the files for operators", () => {
  it.each(["alerts.yml", "grafana-dashboard.json", "metrics.md"])(
    "name only metrics that exist: %s",
    async (file) => {
      const there = new Set((await samples(EVENTS)).map((line) => /^\w+/.exec(line)?.[0]));
      for (const name of [...there]) there.add(name?.replace(/_(bucket|sum|count)$/, ""));
      const named = readFileSync(join(FOLDER, file), "utf8").match(/kinesis_multilang_\w+/g) ?? [];
      expect(named.length).toBeGreaterThan(10);
      expect(named.filter((name) => !there.has(name))).toEqual([]);
    },
  );

  it("name each metric on the page", async () => {
    const page = readFileSync(join(FOLDER, "metrics.md"), "utf8");
    const names = (await samples(EVENTS)).map((line) =>
      /^\w+/.exec(line)?.[0].replace(/_(bucket|sum|count)$/, ""),
    );
    expect([...new Set(names)].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });

  it("are accepted by promtool, as are the metrics", async ({ skip }) => {
    if (spawnSync("promtool", ["--version"]).error) return skip("promtool is not installed");
    const rules = execFileSync("promtool", ["check", "rules", join(FOLDER, "alerts.yml")]);
    expect(rules.toString()).toContain("SUCCESS");
    const input = await textOf(EVENTS);
    const checked = spawnSync("promtool", ["check", "metrics"], { input });
    expect([checked.status, checked.stderr.toString()]).toEqual([0, ""]);
  });
});
