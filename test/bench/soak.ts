// `soak`: what a daemon retains over a long time at a steady load. No service fails, but children
// are killed and the stream is resharded, as in months of production. The exit code is 1 if the
// memory that survives a garbage collection grows faster than 5 MiB per hour, or if a record is
// missing.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { Scope } from "../../src/sample/scope.ts";
import { Random } from "../chaos/random.ts";
import { lengthMs, retainedMib, type Sample, type Trend, trendOf } from "../support/growth.ts";
import { DaemonRun } from "./daemonRun.ts";
import { chooseDaemons } from "./daemons.ts";
import { EmulatedStream } from "./emulated.ts";
import { count } from "./options.ts";
import { HEAP_PROBE, RUNS, uniqueName } from "./paths.ts";
import { processorCommand } from "./processors.ts";
import { useDynamo, useKinesis } from "./services.ts";
import { sum } from "./table.ts";
import { buildGoPrograms } from "./tools.ts";
import { waitFor } from "./wait.ts";

interface Options {
  readonly minutes: number;
  readonly main: string;
  /** Records per second. */
  readonly rate: number;
  /** Seconds between two kills of a child, and between two reshards. */
  readonly replace: number;
  readonly reshard: number;
}

export const RETAINED_PER_HOUR_MAX_MIB = 5;
/** In a shorter run compiled code still grows. Its slope is shown but does not decide. */
const CHECKED_FROM_MS = 20 * 60_000;
const SAMPLE_EVERY_MS = 10_000;
const RECORDS_A_PUT = 10;
const DELIVERY_LIMIT_MS = 60_000;

export function soakCommand(): Command {
  return new Command("soak")
    .description("what the daemon retains over a long time at a steady load")
    .option("--main <file>", "the built program to measure", "dist/main.js")
    .addOption(count("--minutes <n>", "how long", 60))
    .addOption(count("--rate <n>", "records a second", 100))
    .addOption(count("--replace <seconds>", "between two children that are killed", 60))
    .addOption(count("--reshard <seconds>", "between two splits or merges", 180))
    .action(async (options: Options) => {
      mkdirSync(RUNS, { recursive: true });
      await buildGoPrograms();
      const scope = new Scope();
      try {
        if (!(await soak(options, scope))) process.exitCode = 1;
      } finally {
        await scope.close();
      }
    });
}

/** @returns whether nothing is wrong. */
async function soak(options: Options, scope: Scope): Promise<boolean> {
  const stream = await EmulatedStream.create(await useKinesis(scope));
  const probeFile = join(RUNS, `${uniqueName()}.heap`);
  const run = await start(options, stream, await useDynamo(scope, false), probeFile);
  const rss: Sample[] = [];
  const untilMs = performance.now() + options.minutes * 60_000;
  const during = (everySeconds: number, act: () => unknown) =>
    repeat(everySeconds * 1000, untilMs, act);
  const random = new Random(1);
  try {
    await run.waitFor("init");
    const [put, replaced, resharded] = await Promise.all([
      during(RECORDS_A_PUT / options.rate, () => stream.putTen()),
      during(options.replace, () => replaceChild(run, random)),
      during(options.reshard, () => stream.reshard(random)),
      during(SAMPLE_EVERY_MS / 1000, () => {
        run.program.mustRun();
        rss.push({ atMs: performance.now(), value: run.ownMemory().rssMib });
      }),
    ]);
    await allDelivered(run, put * RECORDS_A_PUT);
    console.log(
      `${put * RECORDS_A_PUT} records, ${replaced} children killed, ${resharded} reshards`,
    );
    return report(retainedMib(probeFile), rss);
  } finally {
    await run.stop();
    stream.close();
  }
}

async function start(
  { main }: Options,
  stream: EmulatedStream,
  dynamoUrl: string,
  probeFile: string,
): Promise<DaemonRun> {
  const nodeArgs = "--expose-gc";
  const [daemon] = await chooseDaemons({
    main,
    java: false,
    jvm: "",
    nodeArgs,
    preload: HEAP_PROBE,
  });
  if (!daemon) throw new Error("there is no daemon to measure");
  return new DaemonRun(daemon, {
    child: await processorCommand("go"),
    kinesisUrl: stream.url,
    dynamoUrl,
    streamName: stream.name,
    applicationName: uniqueName(),
    // The child after a killed one continues at its checkpoint.
    properties: { checkpointPolicy: "onBatchSuccess" },
    env: { HEAP_PROBE: probeFile },
  });
}

/**
 * Calls `act` at even intervals, never while the last call runs. Calls that come late are made up
 * for, but not after the end.
 *
 * @returns the number of calls.
 */
async function repeat(everyMs: number, untilMs: number, act: () => unknown): Promise<number> {
  let times = 0;
  let dueMs = performance.now();
  while (Math.max(dueMs, performance.now()) < untilMs) {
    await sleep(Math.max(0, dueMs - performance.now()));
    await act();
    times += 1;
    dueMs += everyMs;
  }
  return times;
}

function replaceChild(run: DaemonRun, random: Random): void {
  run.notes.poll();
  const pid = random.oneOf([...run.processors()]);
  if (pid !== undefined) process.kill(pid, "SIGKILL");
}

/**
 * @throws Error if fewer records were delivered than put. After a child was killed, some are
 * delivered again.
 */
async function allDelivered(run: DaemonRun, put: number): Promise<void> {
  await waitFor(`${put} records to be delivered`, DELIVERY_LIMIT_MS, () => {
    run.notes.poll();
    return sum(run.notes.of("batch").map(({ records }) => records)) >= put ? true : undefined;
  });
}

function report(retained: readonly Sample[], rss: readonly Sample[]): boolean {
  const trend = trendOf(retained);
  print("retained after garbage collection", trend);
  print("RSS", trendOf(rss));
  const isChecked = lengthMs(retained) >= CHECKED_FROM_MS;
  const isFlat = trend.perHour <= RETAINED_PER_HOUR_MAX_MIB;
  const result = isChecked ? (isFlat ? "PASSED" : "FAILED") : "not checked: the run is too short";
  console.log(`at most ${RETAINED_PER_HOUR_MAX_MIB} MiB per hour retained: ${result}`);
  return isFlat || !isChecked;
}

function print(what: string, { first, last, max, perHour }: Trend): void {
  console.log(`${what}, MiB: first ${first}, last ${last}, max ${max}, +${perHour} per hour`);
}
