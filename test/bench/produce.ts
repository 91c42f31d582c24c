// `npm run bench -- produce`: our producer, in process, beside the Kinesis Producer Library and
// plain PutRecords calls, on the same fake service with AWS's limits.

import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { machine } from "./daemons.ts";
import { type FakePuts, startFakePuts } from "./fakePuts.ts";
import { count } from "./options.ts";
import { RUNS } from "./paths.ts";
import { Driver, KPL, type Load, type ProducerRival, producerRivals } from "./producers.ts";
import { saveTable } from "./readme.ts";
import { type Case, type Figures, runSeries } from "./series.ts";
import { type Column, markdownTable } from "./table.ts";
import { buildGoPrograms, mavenLibrary, sizeOf } from "./tools.ts";
import { preciseNowMs } from "./wait.ts";

interface Options {
  readonly kpl: boolean;
  readonly main: string;
  readonly records: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly save: boolean;
}

const COLUMNS: readonly Column[] = [
  { figure: "perCpuSecond", title: "Records per CPU s", digits: 0, better: "more" },
  { figure: "perChildCpuSecond", title: "of the native child alone", digits: 0 },
  { figure: "efficiency", title: "Payload, % of bytes sent", digits: 2, better: "more" },
  { figure: "p50Ms", title: "p50, ms", digits: 0, better: "less" },
  { figure: "p99Ms", title: "p99, ms", digits: 0, better: "less" },
  { figure: "refusedPercent", title: "Refused, %", digits: 1, better: "less" },
  { figure: "usedPercent", title: "Shard used, %", digits: 1, better: "more" },
  { figure: "peakMib", title: "Peak RSS, MiB", digits: 0, better: "less" },
  { figure: "startSeconds", title: "Launch to first record stored, s", digits: 2, better: "less" },
];

/** Enough for what two cores can send. */
const MANY_SHARDS = 64;
const SMALL_BYTES = 100;
const STEADY_PER_SECOND = 1_000;
/** Twice what a shard accepts. */
const TOO_FAST = { bytes: 1_024, perSecond: 2_048 };
const SHARERS = 3;
const SHARED_WARM_UP_MS = 20_000;
const MOST_OUTSTANDING = 50_000;
const WARM_UP_SHARE = 5;
const SHARD_BYTES_PER_SECOND = 1024 * 1024;

export function produceCommand(): Command {
  return new Command("produce")
    .description("put records: CPU, efficiency, latency, memory while throttled, a shared shard")
    .option("--kpl", "measure the Kinesis Producer Library (from Maven) too, in turn", false)
    .option("--java", "the same as --kpl", false)
    .option("--main <file>", "the built program to measure", "dist/main.js")
    .addOption(count("--records <n>", "records to put as fast as possible", 1_000_000))
    .addOption(count("--seconds <n>", "how long to put at a steady rate", 60))
    .addOption(count("--rounds <n>", "runs of each producer and case", 1))
    .option("--save", "put the table into test/bench/README.md", false)
    .action((options: Options & { java: boolean }) =>
      run({ ...options, kpl: options.kpl || options.java }),
    );
}

async function run(options: Options): Promise<void> {
  mkdirSync(RUNS, { recursive: true });
  await buildGoPrograms();
  const daemons = await producerRivals(options.main, options.kpl);
  const results = await runSeries({
    mode: "produce",
    cases: casesOf(options),
    daemons,
    rounds: options.rounds,
  });
  const table = markdownTable(results, COLUMNS, "Producer");
  const size = options.kpl ? ` ${await sizeText()}` : "";
  const day = new Date().toISOString().slice(0, 10);
  const text = `${table}\n\n${day}, ${machine()}.${size}`;
  console.log(`\n${text}`);
  if (options.save) saveTable("produce", text);
}

function casesOf({ records, seconds }: Options): readonly Case<ProducerRival>[] {
  const perSecond = STEADY_PER_SECOND;
  const steady = { bytes: SMALL_BYTES, warmUp: perSecond, records: seconds * perSecond, perSecond };
  const fast = { bytes: SMALL_BYTES, warmUp: records / WARM_UP_SHARE, records, perSecond: 0 };
  const tooFast = { ...TOO_FAST, warmUp: 1, records: seconds * TOO_FAST.perSecond };
  return [
    { labels: { Case: "flat out, 100 B" }, measure: (rival) => flatOut(rival, fast) },
    { labels: { Case: "1,000/s, 100 B" }, measure: (rival) => alone(rival, MANY_SHARDS, steady) },
    {
      labels: { Case: "throttled, 1 KiB" },
      measure: (rival) => throttled(rival, tooFast, seconds),
    },
    { labels: { Case: "3 on one shard, 1 KiB" }, measure: (rival) => shared(rival, seconds) },
  ];
}

type Amount = Omit<Load, "endpoint" | "mostOutstanding">;

/** The service, and a driver of these records that has ended its warm-up. */
async function withService(
  shards: number,
  use: (
    service: FakePuts,
    drive: (rival: ProducerRival, amount: Amount) => Driver,
  ) => Promise<Figures>,
): Promise<Figures> {
  const service = await startFakePuts(shards);
  const drivers: Driver[] = [];
  try {
    return await use(service, (rival, amount) => {
      const { endpoint } = service;
      const driver = new Driver(rival, { ...amount, endpoint, mostOutstanding: MOST_OUTSTANDING });
      drivers.push(driver);
      return driver;
    });
  } finally {
    for (const driver of drivers) driver.kill();
    await service.stop();
  }
}

async function flatOut(rival: ProducerRival, amount: Amount): Promise<Figures> {
  const { p50Ms: _, p99Ms: __, ...figures } = await alone(rival, MANY_SHARDS, amount);
  return figures;
}

/** One producer puts all records. */
function alone(rival: ProducerRival, shards: number, amount: Amount): Promise<Figures> {
  return withService(shards, async (service, drive) => {
    const launchedMs = preciseNowMs();
    const driver = drive(rival, amount);
    await driver.warmedUp();
    const { firstMs } = await service.begin();
    const before = driver.cost();
    const failed = await driver.put();
    const after = driver.cost();
    const { userRecords, userBytes, dataBytes, entries, refused, p50Ms, p99Ms } =
      await service.counts();
    const own = after.own - before.own;
    const children = after.children - before.children;
    return {
      perCpuSecond: userRecords / (own + children),
      ...(children > 0 && { perChildCpuSecond: userRecords / children }),
      efficiency: (100 * userBytes) / dataBytes,
      refusedPercent: (100 * refused) / entries,
      startSeconds: (firstMs - launchedMs) / 1000,
      peakMib: driver.peakMib(),
      p50Ms,
      p99Ms,
      failed,
    };
  });
}

/** One producer gets twice what its shard accepts. */
function throttled(rival: ProducerRival, amount: Amount, seconds: number): Promise<Figures> {
  return withService(1, async (service, drive) => {
    const driver = drive(rival, amount);
    await driver.warmedUp();
    await service.begin();
    const ended = driver.put().catch(() => 0);
    await Promise.race([ended, sleep(seconds * 1000)]);
    return { ...shareOf(await service.counts()), peakMib: driver.peakMib() };
  });
}

/** Three producers get twice what one shard accepts, each. */
function shared(rival: ProducerRival, seconds: number): Promise<Figures> {
  return withService(1, async (service, drive) => {
    const records = Number.MAX_SAFE_INTEGER;
    const drivers = Array.from({ length: SHARERS }, () =>
      drive(rival, { ...TOO_FAST, warmUp: 1, records }),
    );
    await Promise.all(drivers.map((driver) => driver.warmedUp()));
    for (const driver of drivers) driver.put().catch(() => {});
    await sleep(SHARED_WARM_UP_MS);
    await service.begin();
    await sleep(seconds * 1000);
    return shareOf(await service.counts());
  });
}

function shareOf({
  refused,
  entries,
  dataBytes,
  seconds,
}: Awaited<ReturnType<FakePuts["counts"]>>) {
  return {
    refusedPercent: (100 * refused) / entries,
    usedPercent: (100 * dataBytes) / seconds / SHARD_BYTES_PER_SECOND,
  };
}

async function sizeText(): Promise<string> {
  const { files, bytes } = sizeOf(await mavenLibrary(KPL));
  return `The KPL and its dependencies are ${files} files, ${Math.round(bytes / 1e6)} MB.`;
}
