// Measures whether a daemon keeps up with shards that are written at the service's limit. The
// service has its read limits, and the children take time for each batch and checkpoint it. It also
// measures how fast a daemon catches up with a backlog.

import { setTimeout as sleep } from "node:timers/promises";
import { DaemonRun } from "./daemonRun.ts";
import type { Daemon } from "./daemons.ts";
import type { IdleTime } from "./latency.ts";
import type { Note } from "./notes.ts";
import { uniqueName } from "./paths.ts";
import type { Command } from "./processes.ts";
import { type Retrieval, retrievalProperties } from "./retrieval.ts";
import type { Case, Figures } from "./series.ts";
import { type FakeKinesis, startFakeKinesis } from "./services.ts";
import { type Column, groupBy, sum } from "./table.ts";
import { preciseNowMs } from "./wait.ts";

export interface KeepupOptions {
  readonly shards: readonly number[];
  /** How long a child takes for a batch. */
  readonly workMs: readonly number[];
  readonly retrievals: readonly Retrieval[];
  /** For polling. */
  readonly idleTimes: readonly IdleTime[];
  /** Seconds of writes that each shard already has. */
  readonly backlogSeconds: number;
  /** How long it is watched once it has caught up. */
  readonly seconds: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly dynamoUrl: string;
  readonly child: Command;
  /** Called after each run, with the start and the end of the measurement. */
  readonly after: (daemon: Daemon, run: DaemonRun, fromMs: number, toMs: number) => void;
}

export const KEEPUP_COLUMNS: readonly Column[] = [
  { figure: "catchUpSeconds", title: "caught up after, s", digits: 1, better: "less" },
  { figure: "drainPercent", title: "of the service's 2 MiB/s, %", digits: 0, better: "more" },
  { figure: "behindSeconds", title: "behind, s", digits: 2, better: "less" },
  { figure: "worstBehindSeconds", title: "worst shard", digits: 2, better: "less" },
  { figure: "callsPerSecond", title: "calls/s a shard", digits: 2 },
  { figure: "refusedPercent", title: "of them throttled, %", digits: 1 },
  { figure: "recordsPerBatch", title: "records a batch", digits: 0 },
  { figure: "cpuPerMillion", title: "CPU s per million", digits: 2, better: "less" },
  { figure: "rssMib", title: "RSS, MiB", digits: 0, better: "less" },
  { figure: "peakMib", title: "peak", digits: 0, better: "less" },
];

/** AWS's write limit for a shard, in records of 1 KiB. The read limit is twice as high. */
export const WRITTEN_PER_SECOND = 1_000;
export const RECORD_BYTES = 1_024;
const READ_PER_SECOND = (2 * 1024 * 1024) / RECORD_BYTES;
const LOOK_EVERY_MS = 200;
/** In addition to the batch time and the time between two calls. */
const NEAR_MS = 1_000;
/**
 * A daemon has not caught up if it takes longer than this multiple of the shortest possible time.
 */
const CATCH_UP_FACTOR = 2;
const START_LIMIT_MS = 15_000;
/** "Behind" is the mean over the last seconds of the run. */
const LAST_MS = 10_000;

/** KCL's own failover time, because the machine is busy even though the children sleep. */
export const REAL_FAILOVER = { failoverTimeMillis: "10000" };

interface Work {
  readonly shards: number;
  readonly retrieval: Retrieval;
  readonly idleMs: IdleTime;
  readonly workMs: number;
}

export function keepupCases(options: KeepupOptions): readonly Case[] {
  const ways: readonly Pick<Work, "retrieval" | "idleMs">[] = options.retrievals.flatMap(
    (retrieval) =>
      (retrieval === "fanout" ? ["default" as const] : options.idleTimes).map((idleMs) => ({
        retrieval,
        idleMs,
      })),
  );
  const works: readonly Work[] = options.shards.flatMap((shards) =>
    ways.flatMap((way) => options.workMs.map((workMs) => ({ shards, workMs, ...way }))),
  );
  return works.map((work) => ({
    labels: {
      Shards: work.shards,
      Retrieval: work.retrieval,
      idleTimeBetweenReadsInMillis: work.retrieval === "fanout" ? "–" : work.idleMs,
      "ms a batch": work.workMs,
    },
    measure: (daemon: Daemon) => measure(daemon, work, options),
  }));
}

async function measure(daemon: Daemon, work: Work, options: KeepupOptions): Promise<Figures> {
  const { shards, retrieval, idleMs, workMs } = work;
  const { backlogSeconds } = options;
  const fake = await startFakeKinesis({
    shards,
    recordsPerShard: 0,
    bytes: RECORD_BYTES,
    perSecond: WRITTEN_PER_SECOND,
    backlogSeconds,
    limited: true,
  });
  const run = new DaemonRun(daemon, {
    ...options,
    child: [...options.child, `-work=${workMs}ms`, "-checkpoint", "-upto"],
    kinesisUrl: fake.url,
    streamName: "bench",
    applicationName: uniqueName(),
    properties: {
      ...retrievalProperties(retrieval),
      ...REAL_FAILOVER,
      ...(idleMs !== "default" && { idleTimeBetweenReadsInMillis: String(idleMs) }),
      ...options.properties,
    },
  });
  let fromMs = preciseNowMs();
  try {
    await run.waitFor("init", shards);
    const caughtUp = await catchUp(run, work, backlogSeconds);
    fromMs = preciseNowMs();
    const figures = await watch(run, fake, shards, options.seconds);
    run.noLeaseLost(shards);
    return { ...caughtUp, ...figures };
  } finally {
    const toMs = preciseNowMs();
    await run.stop();
    await fake.stop();
    options.after(daemon, run, fromMs, toMs);
  }
}

/**
 * Waits until the last shard is near its tip, or until the time limit. Without a backlog there is
 * nothing to measure.
 */
async function catchUp(
  run: DaemonRun,
  { shards, workMs, idleMs }: Work,
  backlogSeconds: number,
): Promise<Figures> {
  const nearMs = NEAR_MS + workMs + (idleMs === "default" ? 0 : idleMs);
  const shortest = (backlogSeconds * WRITTEN_PER_SECOND) / (READ_PER_SECOND - WRITTEN_PER_SECOND);
  const untilMs = preciseNowMs() + shortest * 1000 * CATCH_UP_FACTOR + START_LIMIT_MS;
  for (;;) {
    run.notes.poll();
    const read = byShard(run.notes.of("upto"));
    const near = read.map((notes) => notes.find((note) => note.atMs - note.arrivedMs <= nearMs));
    const behind = near.filter((note) => note === undefined).length + shards - read.length;
    if (behind === 0 && backlogSeconds > 0) return tookFigures(run, near, backlogSeconds);
    if (behind === 0 || preciseNowMs() > untilMs) return {};
    run.program.mustRun();
    await sleep(LOOK_EVERY_MS);
  }
}

/** The slowest shard's time since it got its child. */
function tookFigures(
  run: DaemonRun,
  near: readonly (UpTo | undefined)[],
  backlogSeconds: number,
): Figures {
  const beganMs = new Map(run.notes.of("init").map(({ pid, atMs }) => [pid, atMs]));
  const took = near.flatMap((note) => (note ? [note.atMs - (beganMs.get(note.pid) ?? 0)] : []));
  const seconds = Math.max(...took) / 1000;
  const slowest = near[took.indexOf(seconds * 1000)];
  const leftMs = slowest ? slowest.atMs - slowest.arrivedMs : 0;
  const records = (backlogSeconds + seconds - leftMs / 1000) * WRITTEN_PER_SECOND;
  return {
    catchUpSeconds: seconds,
    drainPercent: (records / seconds / READ_PER_SECOND) * 100,
  };
}

export async function watch(
  run: DaemonRun,
  fake: FakeKinesis,
  shards: number,
  seconds: number,
): Promise<Figures> {
  const before = { cpu: run.cpuSeconds(), notes: run.notes.of("batch").length };
  const countsBefore = await fake.counts();
  const fromMs = preciseNowMs();
  let rssMib = 0;
  while (preciseNowMs() < fromMs + seconds * 1000) {
    await sleep(LOOK_EVERY_MS);
    run.program.mustRun();
    rssMib = Math.max(rssMib, run.ownMemory().rssMib);
  }
  const cpu = run.cpuSeconds() - before.cpu;
  const countsAfter = await fake.counts();
  const toMs = preciseNowMs();
  run.notes.poll();
  const batches = run.notes.of("batch").slice(before.notes);
  const records = sum(batches.map((batch) => batch.records));
  const calls = countsAfter.calls - countsBefore.calls;
  const behind = byShard(run.notes.of("upto")).map((notes) => meanBehindMs(notes, toMs));
  return {
    behindSeconds: sum(behind) / behind.length / 1000,
    worstBehindSeconds: Math.max(...behind) / 1000,
    callsPerSecond: calls / seconds / shards,
    refusedPercent: ((countsAfter.refused - countsBefore.refused) / Math.max(1, calls)) * 100,
    recordsPerBatch: records / batches.length,
    recordsPerSecond: records / seconds,
    cpuPerMillion: (cpu / records) * 1e6,
    rssMib,
    peakMib: run.ownMemory().peakMib,
  };
}

type UpTo = Extract<Note, { what: "upto" }>;

function byShard(notes: readonly UpTo[]): readonly (readonly UpTo[])[] {
  return [...groupBy(notes, ({ pid }) => String(pid)).values()];
}

/** The age of the newest record that the child had received, at each moment of the last seconds. */
function meanBehindMs(notes: readonly UpTo[], toMs: number): number {
  const fromMs = toMs - LAST_MS;
  let areaMs2 = 0;
  for (const [index, { atMs, arrivedMs }] of notes.entries()) {
    const beginMs = Math.max(atMs, fromMs);
    const endMs = notes[index + 1]?.atMs ?? toMs;
    if (endMs > beginMs) areaMs2 += (endMs - beginMs) * ((beginMs + endMs) / 2 - arrivedMs);
  }
  return areaMs2 / LAST_MS;
}
