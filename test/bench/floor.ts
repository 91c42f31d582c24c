// How far our daemon is from the minimum cost of its work in Node. Short programs run beside it:
// they read the same responses and do nothing else, idle in its rhythm, or start and make one call
// with each of the SDK's clients.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { Scope } from "../../src/sample/scope.ts";
import { chooseDaemons, type Daemon, machine } from "./daemons.ts";
import { IDLE_COLUMNS, idleCases } from "./idle.ts";
import { count, counts } from "./options.ts";
import { BENCH, ROOT, RUNS } from "./paths.ts";
import { cpuSeconds, memory } from "./proc.ts";
import { Program, runToEnd } from "./processes.ts";
import { processorCommand, processorCommands } from "./processors.ts";
import { saveTable } from "./readme.ts";
import { type Case, type Figures, runSeries } from "./series.ts";
import { startFakeKinesis, useDynamo, useKinesis } from "./services.ts";
import { startupCases } from "./startup.ts";
import { besideFloor, type Column, markdownTable } from "./table.ts";
import { throughputCases } from "./throughput.ts";
import { buildGoPrograms } from "./tools.ts";

interface Options {
  readonly main: string;
  readonly rounds: number;
  readonly shards: readonly number[];
  readonly size: readonly number[];
  readonly records: number;
  readonly seconds: number;
  readonly save: boolean;
}

/** The daemon, or a program that does the minimum of its work. */
interface Rival {
  readonly label: string;
  /** @param ours measures our daemon doing that work. */
  readonly measure: (ours: () => Promise<Figures>, work: Work) => Promise<Figures>;
}

interface Work {
  readonly shards: number;
  readonly bytes: number;
}

/** What one part measures, and with which rival the others are compared. */
interface Part {
  readonly mode: string;
  readonly cases: readonly Case[];
  readonly floors: readonly Rival[];
  readonly figure: string;
  readonly columns: readonly Column[];
}

/** As much as the daemon requests: half of its buffer, rendered. */
const ANSWER_BYTES = 8 * 1024 * 1024;
const FRAME_BYTES = 220;
const IDLE_SHARDS = 16;
const SETTLE_SECONDS = 5;
const STOP_PATIENCE_MS = 2_000;

const times: Column = { figure: "timesFloor", title: "times the floor", digits: 1 };

export function floorCommand(): Command {
  return new Command("floor")
    .description("beside the least that reading, idling and starting cost in Node")
    .option("--java", "ignored: it is about Node", false)
    .option("--main <file>", "the built program to measure", "dist/main.js")
    .addOption(count("--rounds <n>", "runs of each program and case", 3))
    .addOption(counts("--shards <n...>", "numbers of shards to read", [1, 4]))
    .addOption(counts("--size <bytes...>", "bytes in each record", [100, 1024]))
    .addOption(count("--records <n>", "in all shards together", 500_000))
    .addOption(count("--seconds <n>", "how long to watch idling", 20))
    .option("--save", "put the tables into test/bench/README.md", false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  mkdirSync(RUNS, { recursive: true });
  await buildGoPrograms();
  const [daemon] = await chooseDaemons({ ...options, java: false, jvm: "", nodeArgs: "" });
  if (!daemon) throw new Error("there is no daemon to measure");
  const scope = new Scope();
  try {
    const dynamoUrl = await useDynamo(scope, false);
    const kinesisUrl = await useKinesis(scope);
    for (const part of [
      await reading(options, dynamoUrl),
      await idling(options, dynamoUrl),
      await starting(kinesisUrl, dynamoUrl),
    ]) {
      await runPart(part, daemon, options);
    }
  } finally {
    await scope.close();
  }
}

async function runPart(part: Part, daemon: Daemon, { rounds, save }: Options): Promise<void> {
  const { mode, figure, floors, columns } = part;
  const cases = part.cases.map(({ labels, measure }) => ({
    labels,
    measure: (rival: Rival) =>
      rival.measure(() => measure(daemon), {
        shards: Number(labels["Shards"]),
        bytes: Number(labels["Bytes"]),
      }),
  }));
  const ours: Rival = { label: daemon.label, measure: (measured) => measured() };
  const results = await runSeries({ mode, cases, daemons: [ours, ...floors], rounds });
  const compared = besideFloor(results, figure, floors.at(-1)?.label ?? "");
  const day = new Date().toISOString().slice(0, 10);
  const runs = rounds > 1 ? `, medians of ${rounds} runs` : "";
  const text = `${markdownTable(compared, columns)}\n\n${day}, ${machine()}${runs}.`;
  console.log(`\n${text}`);
  if (save) saveTable(mode, text);
}

async function reading(options: Options, dynamoUrl: string): Promise<Part> {
  const { records } = options;
  const floor =
    (...pipe: readonly string[]): Rival["measure"] =>
    async (_, work) =>
      readBarely(work, records, "read.mjs", pipe);
  const connections =
    (kind: "own" | "undici"): Rival["measure"] =>
    (_, work) =>
      readBarely(work, records, "connections.mjs", [], [kind]);
  return {
    mode: "floor",
    figure: "cpuPerMillion",
    columns: [
      { figure: "cpuPerMillion", title: "CPU s per million", digits: 2 },
      times,
      { figure: "recordsPerSecond", title: "Records/s", digits: 0 },
      { figure: "seconds", title: "Seconds", digits: 2 },
    ],
    cases: throughputCases({
      retrievals: ["polling"],
      tls: false,
      shards: options.shards,
      sizes: options.size,
      records,
      megabytes: Number.POSITIVE_INFINITY,
      aggregate: 0,
      processors: await processorCommands(["go"]),
      properties: {},
      dynamoUrl,
      after() {},
    }),
    floors: [
      { label: "read over our connections", measure: connections("own") },
      { label: "read over undici's dispatcher", measure: connections("undici") },
      { label: "read and thrown away", measure: floor() },
      { label: "read and written to `cat`", measure: floor("pipe") },
    ],
  };
}

async function readBarely(
  { shards, bytes }: Work,
  records: number,
  program: string,
  after: readonly string[],
  before: readonly string[] = [],
): Promise<Figures> {
  const recordsPerShard = Math.ceil(records / shards);
  const fake = await startFakeKinesis({ shards, recordsPerShard, bytes });
  try {
    const limit = Math.min(10_000, Math.floor(ANSWER_BYTES / ((bytes * 4) / 3 + FRAME_BYTES)));
    const args = [...before, fake.url, String(shards), String(limit), ...after];
    const output = await runNode(program, ...args);
    const { cpu, seconds } = output as { readonly cpu: number; readonly seconds: number };
    const read = recordsPerShard * shards;
    return { cpuPerMillion: (cpu / read) * 1e6, recordsPerSecond: read / seconds, seconds };
  } finally {
    await fake.stop();
  }
}

async function idling({ seconds }: Options, dynamoUrl: string): Promise<Part> {
  return {
    mode: "floor-idle",
    figure: "cpuPercent",
    columns: [
      ...IDLE_COLUMNS.map(({ figure, title, digits }) => ({ figure, title, digits })),
      times,
    ],
    cases: idleCases({
      shards: [IDLE_SHARDS],
      seconds,
      settleSeconds: SETTLE_SECONDS,
      child: await processorCommand("go"),
      dynamoUrl,
      properties: { failoverTimeMillis: "10000" },
      after() {},
    }),
    floors: [{ label: "bare calls", measure: (_, { shards }) => idleBarely(shards, seconds) }],
  };
}

async function idleBarely(shards: number, seconds: number): Promise<Figures> {
  const fake = await startFakeKinesis({ shards, recordsPerShard: 0, bytes: 100 });
  const file = join(BENCH, "floor", "idle.mjs");
  const program = new Program([process.execPath, file, fake.url, String(shards)], {
    logFile: join(RUNS, "floor-idle.log"),
  });
  try {
    await sleep(SETTLE_SECONDS * 1000);
    const [fromMs, before] = [performance.now(), cpuSeconds([program.pid])];
    await sleep(seconds * 1000);
    const cpu = cpuSeconds([program.pid]) - before;
    program.mustRun();
    const cpuPercent = (cpu / (performance.now() - fromMs)) * 1000 * 100;
    return { cpuPercent, ...memory([program.pid]) };
  } finally {
    await program.stop(STOP_PATIENCE_MS);
    await fake.stop();
  }
}

async function starting(kinesisUrl: string, dynamoUrl: string): Promise<Part> {
  const cases = startupCases({
    warm: true,
    defaultTimers: false,
    child: await processorCommand("go"),
    kinesisUrl,
    dynamoUrl,
  });
  return {
    mode: "floor-start",
    figure: "cpu",
    columns: [
      { figure: "initializeSeconds", title: "Seconds", digits: 2 },
      { figure: "cpu", title: "CPU s", digits: 2 },
      times,
    ],
    cases,
    floors: [
      { label: "`node -e 0`", measure: () => timed("-e", `console.log(${OWN_CPU})`) },
      {
        label: "the SDK's clients, a call with each",
        measure: () => timed(join(BENCH, "floor", "clients.mjs"), kinesisUrl, dynamoUrl),
      },
    ],
  };
}

const OWN_CPU =
  "JSON.stringify({ cpu: Object.values(process.cpuUsage()).reduce((a, b) => a + b) / 1e6 })";

/** From the launch to the end of a program that writes its own CPU time. */
async function timed(...args: readonly string[]): Promise<Figures> {
  const fromMs = performance.now();
  const { cpu } = JSON.parse(await runToEnd([process.execPath, ...args], ROOT)) as { cpu: number };
  return { cpu, initializeSeconds: (performance.now() - fromMs) / 1000 };
}

async function runNode(name: string, ...args: readonly string[]): Promise<unknown> {
  const file = join(BENCH, "floor", name);
  return JSON.parse(await runToEnd([process.execPath, file, ...args], ROOT));
}
