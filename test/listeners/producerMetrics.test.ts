import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  PRODUCER_METRICS,
  producerStatistics,
  seriesOf,
  wantedFigures,
} from "../../src/listeners/metrics/producerMetrics.ts";
import { producerText } from "../../src/listeners/metrics/producerText.ts";
import { Statistics } from "../../src/producer/statistics.ts";

const statistics = () => new Statistics(() => 0);

/** A put of 2 records in one shard, an error in it, and a failed call of the stream. */
function figures() {
  const all = statistics();
  const shard = { StreamName: "words", ShardId: "shardId-000000000000" };
  all.add("UserRecordsPut", shard, { sum: 2, sampleCount: 2, min: 1, max: 1 });
  all.one("RequestTime", { StreamName: "words" }, 250);
  all.one("AllErrors", shard, 1);
  all.one("AllErrors", { StreamName: "words" }, 1);
  all.one("ErrorsByCode", { ErrorCode: "InternalFailure", ...shard }, 1);
  return all.take();
}

describe("the figures that the settings ask for", () => {
  it.each([
    ["none", "shard", 0],
    ["summary", "global", 3],
    ["summary", "stream", 6],
    ["summary", "shard", 9],
    ["detailed", "global", 4],
    ["detailed", "shard", 11],
  ] as const)("with level %s and granularity %s", (metricsLevel, metricsGranularity, count) => {
    expect(wantedFigures(figures(), { metricsLevel, metricsGranularity })).toHaveLength(count);
  });

  it("keep the KPL's names, units and order of dimensions in CloudWatch", () => {
    expect(producerStatistics(figures())).toContainEqual({
      name: "ErrorsByCode",
      unit: "Count",
      dimensions: [
        ["ErrorCode", "InternalFailure"],
        ["StreamName", "words"],
        ["ShardId", "shardId-000000000000"],
      ],
      sum: 1,
      count: 1,
      min: 1,
      max: 1,
    });
  });
});

it("Statistics.take returns each sample once", () => {
  const all = statistics();
  all.one("UserRecordsPut", {}, 1);
  expect(all.take()).toHaveLength(1);
  expect(all.take()).toEqual([]);
  all.one("UserRecordsPut", {}, 5);
  expect(all.take()).toMatchObject([{ sum: 5, sampleCount: 1 }]);
  expect(all.figures()).toMatchObject([{ sum: 6, sampleCount: 2 }]);
});

describe("Prometheus", () => {
  it("gets a summary for each metric, in seconds and with labels", () => {
    const text = producerText(seriesOf(figures()));
    const shard = 'stream="words",shard="shardId-000000000000"';
    expect(text.split("\n")).toEqual(
      expect.arrayContaining([
        "# TYPE kinesis_multilang_producer_user_records_put summary",
        `kinesis_multilang_producer_user_records_put_sum{${shard}} 2`,
        'kinesis_multilang_producer_request_time_seconds_sum{stream="words"} 0.25',
        `kinesis_multilang_producer_errors_by_code_count{${shard},code="InternalFailure"} 1`,
        // The failed call has no shard.
        `kinesis_multilang_producer_all_errors_sum{${shard}} 1`,
        'kinesis_multilang_producer_all_errors_sum{stream="words"} 1',
      ]),
    );
  });

  it("finds each sample in exactly one series", () => {
    const dimension = fc.option(fc.constantFrom("a", "b"), { nil: undefined });
    const sample = fc.record({
      name: fc.constantFrom("UserRecordsPut", "ErrorsByCode"),
      code: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
      stream: dimension,
      shard: dimension,
      value: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(sample), (samples) => {
        const all = statistics();
        for (const { name, code, stream, shard, value } of samples) {
          const dimensions = {
            ...(code && name === "ErrorsByCode" && { ErrorCode: code }),
            ...(stream && { StreamName: stream }),
            ...(shard && { ShardId: shard }),
          };
          all.one(name, dimensions, value);
        }
        const series = seriesOf(all.figures());
        const sum = (of: "sum" | "count") => series.reduce((total, each) => total + each[of], 0);
        expect(sum("count")).toBe(samples.length);
        expect(sum("sum")).toBe(samples.reduce((total, { value }) => total + value, 0));
      }),
    );
  });
});

it("has a level and a unit for every metric that the producer measures", async () => {
  const { readFile } = await import("node:fs/promises");
  const source = await readFile(new URL("../../src/producer/measures.ts", import.meta.url), "utf8");
  const measured = [...source.matchAll(/"([A-Z]\w+)"/g)].map(([, name = ""]) => name);
  const known = Object.keys(PRODUCER_METRICS);
  expect(known.toSorted()).toEqual(
    [...new Set(measured)].filter((name) => name !== "Expired").toSorted(),
  );
});
