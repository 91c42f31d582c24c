// How fast full shards are drained, and at what cost. The source delivers records at memory speed,
// and the record processors do nothing. README.md describes how each figure is measured.

import { setTimeout as sleep } from "node:timers/promises";
import { DaemonRun, failoverTimeFor } from "./daemonRun.ts";
import type { Daemon } from "./daemons.ts";
import { uniqueName } from "./paths.ts";
import { cpuSeconds } from "./proc.ts";
import type { Command } from "./processes.ts";
import { type Retrieval, retrievalProperties } from "./retrieval.ts";
import type { Case, Figures } from "./series.ts";
import { type FakeKinesis, startFakeKinesis } from "./services.ts";
import { type Column, sum } from "./table.ts";

export interface ThroughputOptions {
  readonly retrievals: readonly Retrieval[];
  readonly tls: boolean;
  readonly shards: readonly number[];
  readonly sizes: readonly number[];
  /** The total of all shards; KPL user records if there are any. */
  readonly records: number;
  /** A lower limit for large records. */
  readonly megabytes: number;
  readonly aggregate: number;
  readonly processors: ReadonlyMap<string, Command>;
  readonly properties: Readonly<Record<string, string>>;
  readonly dynamoUrl: string;
  /** Called after each run, with the start and the end of the measurement. */
  readonly after: (daemon: Daemon, run: DaemonRun, fromMs: number, toMs: number) => void;
}

export const THROUGHPUT_COLUMNS: readonly Column[] = [
  { figure: "recordsPerSecond", title: "Records/s", digits: 0, better: "more" },
  { figure: "megabytesPerSecond", title: "MB/s", digits: 1, better: "more" },
  { figure: "cpuPerMillion", title: "CPU s per million", digits: 2, better: "less" },
  { figure: "cpuPerMillionWarm", title: "second half", digits: 2, better: "less" },
  { figure: "peakMib", title: "Peak RSS, MiB", digits: 0, better: "less" },
  { figure: "seconds", title: "Seconds", digits: 2 },
  { figure: "serviceCpu", title: "CPU s, service", digits: 2 },
  { figure: "childrenCpu", title: "CPU s, children", digits: 2 },
];

const LOOK_EVERY_MS = 20;
const LIMIT_MS = 300_000;

export function throughputCases(options: ThroughputOptions): readonly Case[] {
  const works = options.sizes.flatMap((bytes) =>
    options.shards.flatMap((shards) =>
      options.retrievals.flatMap((retrieval) =>
        [...options.processors].map(([processor, child]) => ({
          retrieval,
          shards,
          bytes,
          processor,
          child,
        })),
      ),
    ),
  );
  return works.map((work) => ({
    labels: {
      Shards: work.shards,
      Bytes: work.bytes,
      ...(options.aggregate > 0 && { Aggregated: options.aggregate }),
      Retrieval: work.retrieval + (options.tls ? ", TLS" : ""),
      ...(options.processors.size > 1 && { Processor: work.processor }),
    },
    measure: (daemon: Daemon) => measure(daemon, work, options),
  }));
}

interface Work {
  readonly retrieval: Retrieval;
  readonly shards: number;
  readonly bytes: number;
  readonly child: Command;
}

async function measure(
  daemon: Daemon,
  { retrieval, shards, bytes, child }: Work,
  options: ThroughputOptions,
): Promise<Figures> {
  const { aggregate, tls } = options;
  const records = Math.min(options.records, Math.floor((options.megabytes * 1e6) / bytes));
  const recordsPerShard = Math.ceil(records / shards / Math.max(1, aggregate));
  const fake = await startFakeKinesis(
    { shards, recordsPerShard, bytes, aggregate, tls },
    daemon.isJava,
  );
  const run = new DaemonRun(daemon, {
    child,
    kinesisUrl: fake.url,
    env: fake.env,
    dynamoUrl: options.dynamoUrl,
    streamName: "bench",
    applicationName: uniqueName(),
    properties: {
      ...retrievalProperties(retrieval),
      ...failoverTimeFor(shards),
      ...(retrieval === "polling" && daemon.fastest),
      ...options.properties,
    },
  });
  try {
    const figures = await drain(
      run,
      fake,
      recordsPerShard * shards * Math.max(1, aggregate),
      bytes,
    );
    run.noLeaseLost(shards);
    return figures;
  } finally {
    const { beganMs, endedMs } = spanOf(run);
    await run.stop();
    await fake.stop();
    options.after(daemon, run, beganMs, endedMs);
  }
}

async function drain(
  run: DaemonRun,
  fake: FakeKinesis,
  records: number,
  bytes: number,
): Promise<Figures> {
  await run.waitFor("init");
  const serviceCpuBefore = cpuSeconds([fake.pid]);
  const cpuBefore = run.cpuSeconds();
  let half: { readonly records: number; readonly cpu: number } | undefined;
  let seen = 0;
  const deadlineMs = performance.now() + LIMIT_MS;
  for (;;) {
    seen = sum(run.notes.of("batch").map((batch) => batch.records));
    if (seen >= records) break;
    if (seen >= records / 2) half ??= { records: seen, cpu: run.cpuSeconds() };
    if (performance.now() > deadlineMs) throw new Error(`${seen} of ${records} records arrived`);
    run.program.mustRun();
    await sleep(LOOK_EVERY_MS);
    run.notes.poll();
  }
  const cpuAfter = run.cpuSeconds();
  const cpu = cpuAfter - cpuBefore;
  const { beganMs, endedMs } = spanOf(run);
  const seconds = (endedMs - beganMs) / 1000;
  const warm = half && ((cpuAfter - half.cpu) / (seen - half.records)) * 1e6;
  return {
    seconds,
    recordsPerSecond: seen / seconds,
    megabytesPerSecond: (seen * bytes) / seconds / 1e6,
    batches: run.notes.of("batch").length,
    cpuPerMillion: (cpu / seen) * 1e6,
    ...(warm === undefined ? {} : { cpuPerMillionWarm: warm }),
    ...run.memory(),
    serviceCpu: cpuSeconds([fake.pid]) - serviceCpuBefore,
    childrenCpu: run.processorsCpuSeconds(),
  };
}

/** From the first child's `initialize` to the last batch of any. */
function spanOf({ notes }: DaemonRun): { readonly beganMs: number; readonly endedMs: number } {
  const beganMs = Math.min(...notes.of("init").map(({ atMs }) => atMs));
  const endedMs = Math.max(...notes.of("batch").map(({ atMs }) => atMs));
  return { beganMs, endedMs };
}
