// The real Java daemon and ours publish metrics of the same work to moto's CloudWatch: which sets
// of name, unit and dimensions each has. docs/operating/metrics.md says why some are missing. This
// needs INTEROP=1, because it takes Java and Maven.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, inject, it } from "vitest";
import { LOCAL_CREDENTIALS } from "../../src/local/services.ts";
import { Scope } from "../../src/sample/scope.ts";
import { RUNS } from "../bench/paths.ts";
import { Program } from "../bench/processes.ts";
import { useDynamo } from "../bench/services.ts";
import { listed, publishedMetrics, testCloudWatch } from "../support/cloudWatch.ts";
import { MAIN } from "../support/daemon.ts";
import { createStream, put, until } from "../support/emulators.ts";
import { motoOrReason } from "../support/moto.ts";
import { javaProperties, startJava, writeProperties } from "./javaDaemon.ts";

const LIMIT_MS = 900_000;
const WORK_LIMIT_MS = 300_000;
/** A moto server has one thread, and the daemon under test publishes to it. */
const LOOK_EVERY_MS = 2_000;
const STOP_PATIENCE_MS = 30_000;
const PROCESSOR = new URL("../chaos/processor.mjs", import.meta.url).pathname;

/**
 * Java's metrics that ours does not publish, by operation: those of the leader of a 3.x fleet, and
 * of loops that this daemon does not have.
 */
const MISSING =
  /Operation=(LeaderDecider|WorkerMetricStatsReporter|WorkerMetrics|Migration|TableMigration\w*|LeaseDiscovery|PeriodicShardSyncManager|LeaseAssignmentManager)\b|(Success|Time) \(\w+\) Operation=ShardSyncTask$|Fault \(Count\) Operation=LeaseRenewerInitialize/;

const scope = new Scope();
afterAll(() => scope.close());

it("ours publishes what Java publishes, but for what the docs name", {
  timeout: LIMIT_MS,
}, async () => {
  const moto = await motoOrReason();
  if ("missing" in moto) throw new Error(moto.missing);
  await scope.use(Promise.resolve(moto), (server) => server.stop());
  const dynamoDBEndpoint = await useDynamo(scope, true);
  const JOURNAL_DIR = await scope.use(mkdtemp(join(tmpdir(), "metrics-")), (made) =>
    rm(made, { recursive: true, force: true }),
  );
  const client = testCloudWatch(moto.url);

  /** The metrics of one daemon, which processes some records and stops. */
  const metricsOf = async (kind: "java" | "node") => {
    const stream = await createStream(`metrics-${kind}`, 2);
    const properties = javaProperties({
      executableName: `${process.execPath} ${PROCESSOR}`,
      streamName: stream,
      applicationName: stream,
      workerId: kind,
      kinesisEndpoint: inject("kinesisUrl"),
      dynamoDBEndpoint,
      "cloudWatchClient.endpointOverride": moto.url,
      metricsLevel: "DETAILED",
      metricsBufferTimeMillis: "2000",
      failoverTimeMillis: "10000",
    });
    await put(stream, ["a", "b", "c", "d", "e", "f"]);
    const program = await scope.use(
      kind === "java"
        ? startJava(stream, properties, undefined, { JOURNAL_DIR })
        : startOurs(stream, properties, { JOURNAL_DIR }),
      (made) => made.stop(STOP_PATIENCE_MS),
    );
    const has = async (name: string) => {
      await sleep(LOOK_EVERY_MS);
      program.mustRun();
      return (await listed(client, stream)).some(({ MetricName }) => MetricName === name);
    };
    await until("checkpoints to be measured", () => has("UpdateLease.Success"), WORK_LIMIT_MS);
    await until("leases to be counted", () => has("CurrentLeases"), WORK_LIMIT_MS);
    await program.stop(STOP_PATIENCE_MS);
    return publishedMetrics(client, stream);
  };

  const ours = await metricsOf("node");
  const java = await metricsOf("java");
  const missing = [...java].filter((each) => !ours.has(each)).toSorted();
  const added = [...ours].filter((each) => !java.has(each)).toSorted();
  const both = [...java].filter((each) => ours.has(each)).toSorted();
  console.log(
    ["both:", ...both, "", "only Java:", ...missing, "", "only ours:", ...added].join("\n"),
  );
  expect(both.length).toBeGreaterThan(15);
  expect(missing.filter((each) => !MISSING.test(each))).toEqual([]);
});

async function startOurs(
  name: string,
  properties: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>>,
): Promise<Program> {
  const file = writeProperties(name, properties);
  return new Program([process.execPath, MAIN, "-p", file], {
    logFile: join(RUNS, `${name}.log`),
    env: {
      AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
      ...env,
    },
  });
}
