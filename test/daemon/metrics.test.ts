// What a running daemon publishes: to CloudWatch (a moto server), as EMF lines, and by OTLP to a
// collector of the test.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { listed, publishedMetrics, sumOf, testCloudWatch } from "../support/cloudWatch.ts";
import { type DaemonUnderTest, temporaryFolder } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { Journal } from "../support/journal.ts";
import { startMischief } from "../support/mischief.ts";
import { type Moto, motoOrReason } from "../support/moto.ts";
import type { Missing } from "../support/python.ts";

interface Pushed {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly { readonly name: string }[] }[];
  }[];
}

interface Run {
  readonly daemon: DaemonUnderTest;
  readonly stream: string;
  readonly journal: Journal;
}

/** A daemon that has processed three records. */
async function ran(
  properties: Readonly<Record<string, string | number>>,
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const stream = await createStream("metrics", 1);
  const journal = await Journal.create();
  const quick = { metricsBufferTimeMillis: 300, ...properties };
  const daemon = await startMischief({ stream, journal, properties: quick, env });
  await put(stream, ["one", "two", "three"]);
  await daemon.waitFor("checkpointed");
  await until("the records", async () => (await journal.words()).length === 3);
  return { daemon, stream, journal };
}

/** A server that keeps the bodies of requests and answers all in the same way. */
async function answering(status: number, body: string): Promise<{ url: string; bodies: string[] }> {
  const bodies: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    bodies.push(Buffer.concat(chunks).toString("utf8"));
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

describe("CloudWatch", () => {
  let moto: Moto | Missing;

  beforeAll(async () => {
    moto = await motoOrReason();
  }, 300_000);
  afterAll(async () => {
    if ("url" in moto) await moto.stop();
  });

  it("receives KCL's metrics in the application's namespace, the last ones at the end", async ({
    skip,
  }) => {
    if ("missing" in moto) return skip(moto.missing);
    const endpoint = { "cloudWatchClient.endpointOverride": moto.url };
    const { daemon, stream } = await ran({ ...endpoint, workerId: "one" });
    expect(await daemon.stop()).toBe(0);
    const client = testCloudWatch(moto.url);
    const published = await publishedMetrics(client, stream);
    expect([...published]).toEqual(
      expect.arrayContaining([
        "MillisBehindLatest (Milliseconds) Operation=ProcessTask, ShardId",
        "MillisBehindLatest (Milliseconds) Operation=ApplicationTracker",
        "RecordsProcessed (Count) Operation=ProcessTask, ShardId",
        "DataBytesProcessed (Bytes) Operation=ProcessTask, ShardId",
        "RecordProcessor.processRecords.Time (Milliseconds) Operation=ProcessTask, ShardId",
        "RecordProcessor.initialize.Time (Milliseconds) Operation=InitializeTask",
        "RecordProcessor.shutdown.Time (Milliseconds) Operation=ShutdownTask",
        "KinesisDataFetcher.getRecords.Success (Count) Operation=ProcessTask, ShardId",
        "KinesisDataFetcher.getShardIterator.Time (Milliseconds) Operation=ProcessTask, ShardId",
        "UpdateLease.Success (Count) Operation=ProcessTask, ShardId",
        "CurrentLeases (Count) Operation=RenewAllLeases, WorkerIdentifier",
        "LostLeases (Count) Operation=RenewAllLeases, WorkerIdentifier",
        "TotalLeases (Count) Operation=TakeLeases, WorkerIdentifier",
        "Success (Count) Operation=TakeLeases, WorkerIdentifier",
        "Initialize.Success (Count) Operation=Scheduler:Initialize",
      ]),
    );
    const all = await listed(client, stream);
    const records = all.find(({ MetricName }) => MetricName === "RecordsProcessed");
    expect(await sumOf(client, stream, records ?? {})).toBe(3);
    expect(all.flatMap(({ Dimensions = [] }) => Dimensions)).toContainEqual({
      Name: "WorkerIdentifier",
      Value: "one",
    });
  });

  it("receives only what the level and the dimensions allow", async ({ skip }) => {
    if ("missing" in moto) return skip(moto.missing);
    const { daemon, stream } = await ran({
      "cloudWatchClient.endpointOverride": moto.url,
      metricsLevel: "SUMMARY",
      metricsEnabledDimensions: "Operation",
    });
    expect(await daemon.stop()).toBe(0);
    const published = [...(await publishedMetrics(testCloudWatch(moto.url), stream))];
    expect(published).toContain("RecordsProcessed (Count) Operation=ProcessTask");
    expect(published.filter((each) => /ShardId|getRecords|TotalLeases.*Take/.test(each))).toEqual(
      [],
    );
  });

  it("that refuses costs one warning, and no record", async () => {
    const denied = JSON.stringify({ __type: "AccessDeniedException", message: "not you" });
    const { url, bodies } = await answering(400, denied);
    const { daemon, journal, stream } = await ran({ "cloudWatchClient.endpointOverride": url });
    await daemon.waitFor("metricsTrouble");
    const before = bodies.length;
    await until("more refusals", () => bodies.length >= before + 3);
    await put(stream, ["four"]);
    await until("the record", async () => (await journal.words()).length === 4);
    expect(await daemon.stop()).toBe(0);
    const told = daemon.events.filter(({ event }) => event === "metricsTrouble");
    expect(told.map(({ level }) => level)).toEqual(["warn"]);
    expect(told[0]?.message).toContain("AccessDeniedException: not you");
    expect(told[0]?.message).toContain("cloudwatch:PutMetricData");
  });

  it("is not called beside a local Kinesis, unless it has an endpoint", async () => {
    const { daemon } = await ran({});
    expect(await daemon.stop()).toBe(0);
    const told = daemon.events.filter(({ message }) => message.includes("CloudWatch"));
    expect(told).toMatchObject([{ event: "configNotice", level: "info" }]);
    expect(told[0]?.message).toContain("cloudWatchClient.endpointOverride");
    const calls = daemon.events.filter(({ event }) => event === "serviceCall");
    expect(new Set(calls.map(({ service }) => service))).toEqual(new Set(["kinesis", "dynamodb"]));
  });
});

it("writes lines of the embedded metric format into a file instead", async () => {
  const file = join(await temporaryFolder(), "metrics.jsonl");
  const { daemon, stream } = await ran({ emfDestination: `file:${file}` });
  expect(await daemon.stop()).toBe(0);
  const lines = (await readFile(file, "utf8")).trim().split("\n");
  const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const records = parsed.flatMap((line) => [line["RecordsProcessed"] ?? []].flat(2) as number[]);
  expect(records.reduce((sum, each) => sum + each, 0)).toBe(3);
  expect(parsed).toContainEqual(
    expect.objectContaining({
      Operation: "ProcessTask",
      ShardId: "shardId-000000000000",
      _aws: {
        Timestamp: expect.any(Number),
        CloudWatchMetrics: [
          expect.objectContaining({ Namespace: stream, Dimensions: [["Operation", "ShardId"]] }),
        ],
      },
    }),
  );
});

it("pushes to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names", async () => {
  const { url, bodies } = await answering(200, "{}");
  const { daemon, stream } = await ran(
    {},
    { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_METRIC_EXPORT_INTERVAL: "500" },
  );
  await until("a push with a lag", () => bodies.some((body) => body.includes("lag_seconds")));
  const before = bodies.length;
  expect(await daemon.stop()).toBe(0);
  // The rest is pushed at the end.
  expect(bodies.length).toBeGreaterThan(before);
  const names = bodies.flatMap((body) => {
    const { resourceMetrics } = JSON.parse(body) as Pushed;
    return resourceMetrics.flatMap(({ scopeMetrics }) =>
      scopeMetrics.flatMap(({ metrics }) => metrics.map(({ name }) => name)),
    );
  });
  expect(names).toEqual(
    expect.arrayContaining([
      "kinesis_multilang_records_total",
      "kinesis_multilang_batch_seconds",
      "kinesis_multilang_lag_seconds",
      "kinesis_multilang_memory_bytes",
      "kinesis_multilang_calls_seconds",
    ]),
  );
  expect(bodies.at(-1)).toContain(`"service.name","value":{"stringValue":"${stream}"}`);
});
