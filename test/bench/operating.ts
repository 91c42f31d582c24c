// What it costs to watch our daemon: CPU while it reads full shards and while it idles, memory and
// start-up, each without metrics, with CloudWatch, and with a status server that Prometheus scrapes
// too; and how long a scrape and the state of the page take with many shards.

import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { Scope } from "../../src/sample/scope.ts";
import { DaemonRun, type DaemonRunOptions } from "./daemonRun.ts";
import { chooseDaemons, type Daemon, machine } from "./daemons.ts";
import { idleCases } from "./idle.ts";
import { choices, count, counts } from "./options.ts";
import { RUNS, uniqueName } from "./paths.ts";
import { processorCommand, processorCommands } from "./processors.ts";
import { type Case, type Figures, runSeries } from "./series.ts";
import { freePort, startFakeKinesis, useDynamo, useKinesis } from "./services.ts";
import { startupCases } from "./startup.ts";
import { besideFloor, type Column, markdownTable, median } from "./table.ts";
import { throughputCases } from "./throughput.ts";
import { buildGoPrograms } from "./tools.ts";

interface Options {
  readonly main: string;
  readonly rounds: number;
  readonly records: number;
  readonly seconds: number;
  readonly pageShards: readonly number[];
  readonly part: readonly string[];
}

const PARTS = ["reading", "idling", "starting", "asking"];

interface Part {
  readonly cases: readonly Case[];
  /** What is compared with the daemon that nobody watches. */
  readonly figure: string;
  readonly columns: readonly Column[];
}

const NOBODY = "nobody watches";
const IDLE_SHARDS = 16;
const SETTLE_SECONDS = 10;
/** No lease is lost on a machine that is busy. */
const PATIENT = { failoverTimeMillis: "20000" };
const SCRAPE_EVERY_MS = 10_000;
/** Enough for a CPU time that is counted in hundredths of a second. */
const ASKS = 20;

const times: Column = { figure: "timesFloor", title: "times that of nobody", digits: 3 };

export function operatingCommand(): Command {
  return new Command("operating")
    .description("the cost of metrics and of the status server, on and off in turn")
    .option("--main <file>", "the built program to measure", "dist/main.js")
    .addOption(count("--rounds <n>", "runs of each case", 3))
    .addOption(count("--records <n>", "of 1 KiB, in one shard", 1_000_000))
    .addOption(count("--seconds <n>", "how long to watch idling", 60))
    .addOption(counts("--page-shards <n...>", "shards of a scrape and of the page", [4, 500]))
    .addOption(choices("--part <name...>", "what is measured", PARTS, PARTS))
    .action(run);
}

async function run(options: Options): Promise<void> {
  mkdirSync(RUNS, { recursive: true });
  await buildGoPrograms();
  const scope = new Scope();
  try {
    const daemons = await watched(options, scope);
    const dynamoUrl = await useDynamo(scope, false);
    const wants = (part: string) => options.part.includes(part);
    const measure = async (part: Part) => print(part, daemons, options.rounds);
    if (wants("reading")) await measure(await reading(options, dynamoUrl));
    if (wants("idling")) await measure(await idling(options, dynamoUrl));
    if (wants("starting")) await measure(await starting(await useKinesis(scope), dynamoUrl));
    if (wants("asking")) await print(await asking(options, dynamoUrl), daemons.slice(-1), 1);
  } finally {
    await scope.close();
  }
}

async function print(
  { cases, figure, columns }: Part,
  daemons: readonly Daemon[],
  rounds: number,
): Promise<void> {
  const results = await runSeries({ mode: "operating", cases, daemons, rounds });
  const table = markdownTable(besideFloor(results, figure, NOBODY), columns);
  const day = new Date().toISOString().slice(0, 10);
  console.log(`\n${table}\n\n${day}, ${machine()}, medians of ${rounds} runs.`);
}

/** Our daemon, watched in three ways. The last one is scraped all the time. */
async function watched({ main }: Options, scope: Scope): Promise<readonly Daemon[]> {
  const [daemon] = await chooseDaemons({ main, java: false, jvm: "", nodeArgs: "" });
  if (!daemon) throw new Error("there is no daemon to measure");
  const address = `127.0.0.1:${await freePort()}`;
  const cloudWatch = {
    metricsLevel: "DETAILED",
    metricsBufferTimeMillis: "10000",
    "cloudWatchClient.endpointOverride": await useCloudWatch(scope),
  };
  const scraping = setInterval(() => {
    // Between two runs nobody answers.
    void fetch(`http://${address}/metrics`).then(
      (response) => response.arrayBuffer(),
      () => undefined,
    );
  }, SCRAPE_EVERY_MS);
  await scope.use(Promise.resolve(scraping), async (timer) => clearInterval(timer));
  const variant = (label: string, properties: Daemon["properties"]) => ({
    ...{ ...daemon, label },
    properties,
  });
  return [
    variant(NOBODY, {}),
    variant("CloudWatch", cloudWatch),
    variant("CloudWatch, HTTP, Prometheus", { ...cloudWatch, httpListen: address }),
  ];
}

/** Accepts everything at once. @returns its URL. */
async function useCloudWatch(scope: Scope): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    request.once("end", () => {
      response.writeHead(200, { "content-type": "application/x-amz-json-1.0" }).end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  await scope.use(Promise.resolve(server), async (made) => {
    made.closeAllConnections();
    made.close();
  });
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("the server has no port");
  return `http://127.0.0.1:${address.port}`;
}

async function reading({ records }: Options, dynamoUrl: string): Promise<Part> {
  return {
    figure: "cpuPerMillion",
    columns: [
      { figure: "cpuPerMillion", title: "CPU s per million", digits: 2 },
      times,
      { figure: "recordsPerSecond", title: "Records/s", digits: 0 },
      { figure: "peakMib", title: "Peak RSS, MiB", digits: 0 },
    ],
    cases: throughputCases({
      ...{ retrievals: ["polling"], tls: false, shards: [1], sizes: [1024], records },
      ...{ megabytes: Number.POSITIVE_INFINITY, aggregate: 0 },
      properties: PATIENT,
      processors: await processorCommands(["go"]),
      dynamoUrl,
      after() {},
    }),
  };
}

async function idling({ seconds }: Options, dynamoUrl: string): Promise<Part> {
  return {
    figure: "cpuPercent",
    columns: [
      { figure: "cpuPercent", title: "CPU, % of a core", digits: 2 },
      times,
      { figure: "rssMib", title: "RSS, MiB", digits: 1 },
    ],
    cases: idleCases({
      ...{ shards: [IDLE_SHARDS], seconds, settleSeconds: SETTLE_SECONDS },
      child: await processorCommand("go"),
      dynamoUrl,
      properties: PATIENT,
      after() {},
    }),
  };
}

async function starting(kinesisUrl: string, dynamoUrl: string): Promise<Part> {
  const child = await processorCommand("go");
  return {
    figure: "cpu",
    columns: [
      { figure: "initializeSeconds", title: "`initialize`, s", digits: 2 },
      { figure: "cpu", title: "CPU s until the first records", digits: 2 },
      times,
    ],
    cases: startupCases({ warm: true, defaultTimers: false, child, kinesisUrl, dynamoUrl }),
  };
}

async function asking({ pageShards }: Options, dynamoUrl: string): Promise<Part> {
  const child = await processorCommand("go");
  return {
    figure: "cpu",
    columns: [
      { figure: "scrapeMs", title: "A scrape, ms", digits: 1 },
      { figure: "scrapeCpuMs", title: "CPU ms", digits: 1 },
      { figure: "scrapeKb", title: "kB", digits: 0 },
      { figure: "stateMs", title: "The page's state, ms", digits: 1 },
      { figure: "stateCpuMs", title: "CPU ms", digits: 1 },
      { figure: "stateKb", title: "kB", digits: 0 },
    ],
    cases: pageShards.map((shards) => ({
      labels: { Shards: shards },
      measure: (daemon) => measureAsking(daemon, shards, child, dynamoUrl),
    })),
  };
}

async function measureAsking(
  daemon: Daemon,
  shards: number,
  child: DaemonRunOptions["child"],
  dynamoUrl: string,
): Promise<Figures> {
  const fake = await startFakeKinesis({ shards, recordsPerShard: 10, bytes: 100 });
  const run = new DaemonRun(daemon, {
    ...{ child, dynamoUrl, kinesisUrl: fake.url, streamName: "bench" },
    ...{ applicationName: uniqueName(), defaultTimers: true },
    properties: { failoverTimeMillis: "60000" },
  });
  const address = daemon.properties["httpListen"];
  try {
    await run.waitFor("batch", shards);
    await sleep(SETTLE_SECONDS * 1_000);
    const scrape = await asked(run, `http://${address}/metrics`);
    const state = await asked(run, `http://${address}/shards`);
    return {
      ...{ scrapeMs: scrape.ms, scrapeCpuMs: scrape.cpuMs, scrapeKb: scrape.kb },
      ...{ stateMs: state.ms, stateCpuMs: state.cpuMs, stateKb: state.kb },
    };
  } finally {
    await run.stop();
    await fake.stop();
  }
}

/** The median time, and the CPU time of the daemon for each request without its other work. */
async function asked(run: DaemonRun, url: string) {
  const beganMs = performance.now();
  const idle = run.cpuSeconds();
  await sleep(SETTLE_SECONDS * 1_000);
  const idleShare = ((run.cpuSeconds() - idle) * 1_000) / (performance.now() - beganMs);
  const before = { ms: performance.now(), cpu: run.cpuSeconds() };
  const took: number[] = [];
  let bytes = 0;
  for (let ask = 0; ask < ASKS; ask += 1) {
    const askedMs = performance.now();
    const response = await fetch(url);
    bytes = (await response.arrayBuffer()).byteLength;
    took.push(performance.now() - askedMs);
  }
  const usedMs = (run.cpuSeconds() - before.cpu) * 1_000;
  const otherMs = idleShare * (performance.now() - before.ms);
  return { ms: median(took), cpuMs: (usedMs - otherMs) / ASKS, kb: bytes / 1_000 };
}
