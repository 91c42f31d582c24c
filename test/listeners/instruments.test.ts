// The metrics of Prometheus and OpenTelemetry, and the files for operators that name them.

import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../src/clock.ts";
import type { Event } from "../../src/events.ts";
import { KEEP_MS } from "../../src/listeners/metrics/leftShards.ts";
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

async function telemetry(events: readonly Event[], clock: Clock = systemClock): Promise<Telemetry> {
  const names = { applicationName: "words", streamName: "w", workerId: "one", version: "1" };
  const opened = await openTelemetry({ ...names, pushes: false, clock });
  open = opened;
  for (const event of events) opened.saw(event);
  return opened;
}

const textOf = async (events: readonly Event[]) => (await telemetry(events)).prometheusText();

/** `name{labels} value` of each sample, without the time. */
async function samples(events: readonly Event[]): Promise<readonly string[]> {
  return samplesOf(await textOf(events));
}

function samplesOf(text: string): readonly string[] {
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

  it.each([
    "kinesis_multilang_leases_lost_total",
    'kinesis_multilang_dead_letters_total{condition="age"}',
    'kinesis_multilang_event_loop_held_total{endangers="leases"}',
    `kinesis_multilang_shards_stuck_total{shard="${shardId}",waiting_for="records"}`,
    `kinesis_multilang_records_expired_total{shard="${shardId}"}`,
  ])("begin at 0, so that an alert sees the first increase: %s", async (series) => {
    expect(await samples([{ type: "leaseTaken", shardId, how: "unowned" }])).toContain(
      `${series} 0`,
    );
  });

  it("forget a shard that another worker reads: its lag at once, its counters later", async () => {
    let nowMs = 0;
    const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
    const opened = await telemetry(EVENTS, clock);
    const named = () =>
      samplesOf(opened.prometheusText()).filter((line) => line.includes(`shard="${shardId}"`));
    const lag = `kinesis_multilang_lag_seconds{shard="${shardId}"} 1.5`;
    const records = `kinesis_multilang_records_total{shard="${shardId}"} 3`;
    expect(named()).toEqual(expect.arrayContaining([lag, records]));
    opened.saw({ type: "leaseReleased", shardId });
    expect(named()).toContain(records);
    expect(named()).not.toContain(lag);
    nowMs = KEEP_MS - 1;
    expect(named()).toContain(records);
    nowMs = KEEP_MS;
    expect(named()).toEqual([]);
    opened.saw({ type: "leaseTaken", shardId, how: "unowned" });
    nowMs = 3 * KEEP_MS;
    expect(named()).toContain(`kinesis_multilang_records_total{shard="${shardId}"} 0`);
  });

  it("escape what a label may not contain", async () => {
    const text = await textOf([{ type: "leaseTaken", shardId: 'a"b\\c\nd', how: "unowned" }]);
    expect(text).toContain('kinesis_multilang_records_total{shard="a\\"b\\\\c\\nd"} 0');
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
