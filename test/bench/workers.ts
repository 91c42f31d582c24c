// The benefit of a second daemon when one has reached the limit of its core: the same full shards
// are drained by one daemon, or by several that share them.

import { setTimeout as sleep } from "node:timers/promises";
import { DaemonRun, failoverTimeFor } from "./daemonRun.ts";
import type { Daemon } from "./daemons.ts";
import { uniqueName } from "./paths.ts";
import { cpuSeconds } from "./proc.ts";
import type { Command } from "./processes.ts";
import type { Case, Figures } from "./series.ts";
import { startFakeKinesis } from "./services.ts";
import { type Column, sum } from "./table.ts";

export interface WorkersOptions {
  readonly workers: readonly number[];
  readonly shards: readonly number[];
  readonly sizes: readonly number[];
  /** The total of all shards. */
  readonly records: number;
  readonly child: Command;
  readonly properties: Readonly<Record<string, string>>;
  readonly dynamoUrl: string;
}

export const WORKERS_COLUMNS: readonly Column[] = [
  { figure: "recordsPerSecond", title: "Records/s", digits: 0, better: "more" },
  { figure: "megabytesPerSecond", title: "MB/s", digits: 1, better: "more" },
  { figure: "cores", title: "cores used by the daemons", digits: 2 },
  { figure: "cpuPerMillion", title: "CPU s per million", digits: 2, better: "less" },
  { figure: "otherCores", title: "by service and children", digits: 2 },
];

const LOOK_EVERY_MS = 20;
const LIMIT_MS = 300_000;

export function workersCases(options: WorkersOptions): readonly Case[] {
  return options.sizes.flatMap((bytes) =>
    options.shards.flatMap((shards) =>
      options.workers.map((workers) => ({
        labels: { Shards: shards, Bytes: bytes, Daemons: workers },
        measure: (daemon: Daemon) => measure(daemon, { shards, bytes, workers }, options),
      })),
    ),
  );
}

interface Work {
  readonly shards: number;
  readonly bytes: number;
  readonly workers: number;
}

async function measure(
  daemon: Daemon,
  { shards, bytes, workers }: Work,
  options: WorkersOptions,
): Promise<Figures> {
  const recordsPerShard = Math.ceil(options.records / shards);
  const fake = await startFakeKinesis({ shards, recordsPerShard, bytes });
  const applicationName = uniqueName();
  const runs = Array.from(
    { length: workers },
    (_, i) =>
      new DaemonRun(daemon, {
        child: options.child,
        kinesisUrl: fake.url,
        dynamoUrl: options.dynamoUrl,
        streamName: "bench",
        applicationName,
        workerId: `worker-${i + 1}`,
        properties: {
          ...failoverTimeFor(shards),
          // Each takes only its share, so no lease moves during the measurement.
          maxLeasesForWorker: String(Math.ceil(shards / workers)),
          ...daemon.fastest,
          ...options.properties,
        },
      }),
  );
  try {
    await Promise.all(runs.map((run) => run.waitFor("init")));
    const others = () =>
      cpuSeconds([fake.pid]) + sum(runs.map((run) => run.processorsCpuSeconds()));
    const before = { own: sum(runs.map((run) => run.cpuSeconds())), others: others() };
    const atOnceMs = performance.now();
    const seenBefore = seenBy(runs);
    await drained(runs, recordsPerShard * shards);
    const records = seenBy(runs) - seenBefore;
    const seconds = (performance.now() - atOnceMs) / 1000;
    const cpu = sum(runs.map((run) => run.cpuSeconds())) - before.own;
    for (const run of runs) run.noLeaseLost(shards);
    return {
      recordsPerSecond: records / seconds,
      megabytesPerSecond: (records * bytes) / seconds / 1e6,
      cores: cpu / seconds,
      cpuPerMillion: (cpu / records) * 1e6,
      otherCores: (others() - before.others) / seconds,
    };
  } finally {
    await Promise.all(runs.map((run) => run.stop()));
    await fake.stop();
  }
}

async function drained(runs: readonly DaemonRun[], records: number): Promise<void> {
  const deadlineMs = performance.now() + LIMIT_MS;
  while (seenBy(runs) < records) {
    if (performance.now() > deadlineMs) throw new Error(`${seenBy(runs)} of ${records} came`);
    for (const run of runs) run.program.mustRun();
    await sleep(LOOK_EVERY_MS);
  }
}

function seenBy(runs: readonly DaemonRun[]): number {
  return sum(
    runs.flatMap(({ notes }) => {
      notes.poll();
      return notes.of("batch").map((batch) => batch.records);
    }),
  );
}
