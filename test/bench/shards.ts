// The cost of many shards for one daemon: while all are idle, and while one of them is busy. Timers
// are KCL's own.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DaemonRun } from "./daemonRun.ts";
import type { Daemon } from "./daemons.ts";
import { EmulatedStream } from "./emulated.ts";
import type { IdleOptions } from "./idle.ts";
import { putSteadily } from "./latency.ts";
import { BENCH, RUNS, uniqueName } from "./paths.ts";
import { connections, wakeUps } from "./proc.ts";
import type { Case, Figures } from "./series.ts";
import { startFakeKinesis } from "./services.ts";
import { type Column, quantile } from "./table.ts";
import { preciseNowMs, waitFor } from "./wait.ts";

/**
 * `seconds` is how long idle shards are watched, and then shards with a busy one among them.
 * `child` notes each record's age.
 */
export interface ShardsOptions extends IdleOptions {
  /** Records a second in the busy shard. */
  readonly perSecond: number;
}

export const SHARDS_COLUMNS: readonly Column[] = [
  { figure: "cpuPercent", title: "CPU idle, % of a core", digits: 1, better: "less" },
  { figure: "rssMib", title: "RSS, MiB", digits: 0, better: "less" },
  { figure: "childMib", title: "of each child", digits: 1 },
  { figure: "wakeUps", title: "wake-ups/s", digits: 0, better: "less" },
  { figure: "kinesisSockets", title: "sockets, Kinesis", digits: 0 },
  { figure: "dynamoSockets", title: "DynamoDB", digits: 0 },
  { figure: "loopP99", title: "loop delay p99, ms", digits: 1, better: "less" },
  { figure: "loopMax", title: "max", digits: 1 },
  { figure: "p50", title: "put → child p50, ms", digits: 0, better: "less" },
  { figure: "p99", title: "p99", digits: 0, better: "less" },
];

const LIMIT_MS = 10_000;
const SETTLE_MS = 3_000;

/** The daemon under measurement imports this to measure its event loop. */
export const LOOP_DELAY = join(BENCH, "loopDelay.mjs");

export function shardsCases(options: ShardsOptions): readonly Case[] {
  return options.shards.map((shards) => ({
    labels: { Shards: shards },
    measure: (daemon) => measure(daemon, shards, options),
  }));
}

async function measure(daemon: Daemon, shards: number, options: ShardsOptions): Promise<Figures> {
  const fake = await startFakeKinesis({ shards, recordsPerShard: 0, bytes: 0 });
  const stream = await EmulatedStream.create(fake.url);
  const loopFile = join(RUNS, `${uniqueName()}-loop.json`);
  const run = new DaemonRun(daemon, {
    ...options,
    defaultTimers: true,
    kinesisUrl: fake.url,
    streamName: stream.name,
    applicationName: uniqueName(),
    env: { BENCH_LOOP_DELAY: loopFile },
  });
  let [fromMs, toMs] = [preciseNowMs(), preciseNowMs()];
  try {
    await run.waitFor("init", shards);
    await sleep(options.settleSeconds * 1000);
    fromMs = preciseNowMs();
    const idle = await watchIdle(run, fake.url, options);
    toMs = preciseNowMs();
    const busy = await watchBusy(run, stream, loopFile, options);
    run.noLeaseLost(shards);
    return { ...idle, ...busy };
  } finally {
    await run.stop();
    stream.close();
    await fake.stop();
    options.after(daemon, run, fromMs, toMs);
  }
}

async function watchIdle(
  run: DaemonRun,
  kinesisUrl: string,
  { seconds: wanted, dynamoUrl }: ShardsOptions,
): Promise<Figures> {
  const { pid } = run.program;
  const before = { ms: preciseNowMs(), cpu: run.cpuSeconds(), wakeUps: wakeUps(pid) };
  await sleep(wanted * 1000);
  const seconds = (preciseNowMs() - before.ms) / 1000;
  run.program.mustRun();
  return {
    cpuPercent: ((run.cpuSeconds() - before.cpu) / seconds) * 100,
    wakeUps: (wakeUps(pid) - before.wakeUps) / seconds,
    rssMib: run.ownMemory().rssMib,
    childMib: run.processorsMemory().rssMib / run.notes.pids.size,
    kinesisSockets: connections(pid, Number(new URL(kinesisUrl).port)),
    dynamoSockets: connections(pid, Number(new URL(dynamoUrl).port)),
  };
}

async function watchBusy(
  run: DaemonRun,
  stream: EmulatedStream,
  loopFile: string,
  { seconds, perSecond }: ShardsOptions,
): Promise<Figures> {
  const gapMs = 1000 / perSecond;
  const settling = await putSteadily(stream, gapMs, SETTLE_MS / gapMs);
  run.program.signal("SIGHUP");
  const puts = await putSteadily(stream, gapMs, seconds * perSecond);
  const ages = await run.waitFor("age", settling.length + puts.length);
  run.program.signal("SIGHUP");
  const loop = await waitFor("the event loop's delay", LIMIT_MS, () => readJson(loopFile));
  const measured = ages.slice(settling.length).map(({ ageMs }) => ageMs);
  return {
    p50: quantile(measured, 0.5),
    p99: quantile(measured, 0.99),
    loopP50: loop["p50"] ?? Number.NaN,
    loopP99: loop["p99"] ?? Number.NaN,
    loopMax: loop["max"] ?? Number.NaN,
  };
}

function readJson(file: string): Figures | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Figures;
  } catch {
    return undefined;
  }
}
