// The metrics of a producer process: for Prometheus, by OTLP to a collector of the test, and to
// CloudWatch (a moto server).

import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { listed, sumOf, testCloudWatch } from "../support/cloudWatch.ts";
import { MAIN, temporaryFolder } from "../support/daemon.ts";
import { until } from "../support/emulators.ts";
import { motoOrReason } from "../support/moto.ts";
import { kinesisFor } from "../support/producerClient.ts";

/** Starts a producer that is given three records. */
async function producing(
  properties: Readonly<Record<string, string | number>>,
  {
    args = [],
    env = {},
  }: { args?: readonly string[]; env?: Readonly<Record<string, string>> } = {},
) {
  const kinesis = await kinesisFor();
  const file = join(await temporaryFolder(), "p.properties");
  const lines = Object.entries(properties).map(([key, value]) => `${key} = ${value}\n`);
  await writeFile(file, lines.join(""));
  const where = ["-s", "words", "--endpoint", kinesis.url, "-p", file];
  const child = spawn(process.execPath, [MAIN, "produce", "--protocol", ...where, ...args], {
    env: {
      PATH: process.env["PATH"],
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
      ...env,
    },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const stderr: string[] = [];
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr.push(text));
  child.stdout.resume();
  for (const text of ["one", "two", "three"]) {
    child.stdin.write(`${JSON.stringify({ action: "put", partitionKey: "k", text })}\n`);
  }
  await until("the records", () => kinesis.stored.length > 0);
  const ended = once(child, "close");
  return {
    log: () => stderr.join(""),
    end: async () => {
      child.stdin.end();
      const [code] = await ended;
      return code as number;
    },
  };
}

describe("a producer's metrics", () => {
  it("are served for Prometheus with --http", async () => {
    const producer = await producing({ metricsLevel: "none" }, { args: ["--http", "127.0.0.1:0"] });
    await until("the address", () => /http:\/\/127\.0\.0\.1:\d+\/metrics/.test(producer.log()));
    const [url = ""] = /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(producer.log()) ?? [];
    const put = 'user_records_put_sum{stream="words",shard="shardId-000000000000"} 3';
    await until("the figures", async () => (await (await fetch(url)).text()).includes(put));
    expect((await fetch(url.replace("metrics", "else"))).status).toBe(404);
    expect(await producer.end()).toBe(0);
  });

  it("are pushed by OTLP, the last of them at the end", async () => {
    const bodies: string[] = [];
    const collector = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      bodies.push(Buffer.concat(chunks).toString());
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
    collector.listen(0, "127.0.0.1");
    await once(collector, "listening");
    onTestFinished(() => void collector.close());
    const { port } = collector.address() as AddressInfo;
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` };
    const producer = await producing({}, { env });
    expect(await producer.end()).toBe(0);
    const pushed = JSON.parse(bodies.at(-1) ?? "{}");
    const [scope] = pushed.resourceMetrics[0].scopeMetrics;
    const found = scope.metrics.find(
      ({ name }: { name: string }) => name === "kinesis_multilang_producer_user_records_put_sum",
    );
    expect(found.sum.dataPoints).toMatchObject([{ asDouble: 3 }]);
  });

  it("reach CloudWatch under the KPL's names, in the namespace, the last at the end", {
    timeout: 300_000,
  }, async (test) => {
    const moto = await motoOrReason();
    if ("missing" in moto) return test.skip(moto.missing);
    onTestFinished(() => moto.stop());
    const producer = await producing({
      CloudwatchEndpoint: moto.url,
      MetricsNamespace: "Mine",
      MetricsLevel: "summary",
      MetricsGranularity: "stream",
    });
    expect(await producer.end()).toBe(0);
    const client = testCloudWatch(moto.url);
    const metrics = await listed(client, "Mine");
    const names = new Set(metrics.map(({ MetricName }) => MetricName));
    expect([...names].toSorted()).toEqual([
      ...["AllErrors", "BufferingTime", "KinesisRecordsPut", "UserRecordsPut"],
    ]);
    const dimensions = metrics.map(({ Dimensions = [] }) => Dimensions.map(({ Name }) => Name));
    expect(new Set(dimensions.flat())).toEqual(new Set(["StreamName"]));
    const ofStream = metrics.find(
      ({ MetricName, Dimensions = [] }) =>
        MetricName === "UserRecordsPut" && Dimensions.length === 1,
    );
    expect(await sumOf(client, "Mine", ofStream ?? {})).toBe(3);
  });

  it("do not go to AWS while Kinesis is an emulator, and the log says so", async () => {
    const producer = await producing({ recordMaxBufferedTime: 10 });
    expect(await producer.end()).toBe(0);
    expect(producer.log()).toMatch(/no metrics are published to CloudWatch.*cloudwatchEndpoint/);
  });
});
