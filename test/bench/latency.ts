// The time from the start of a record's put until the child has read its line, under light and
// steady traffic.

import { setTimeout as sleep } from "node:timers/promises";
import { DaemonRun } from "./daemonRun.ts";
import type { Daemon } from "./daemons.ts";
import { EmulatedStream } from "./emulated.ts";
import { uniqueName } from "./paths.ts";
import type { Command } from "./processes.ts";
import type { Case, Figures } from "./series.ts";
import { type Column, quantile } from "./table.ts";
import { preciseNowMs } from "./wait.ts";

/** `idleTimeBetweenReadsInMillis`, or the daemon's default. */
export type IdleTime = number | "default";

export interface LatencyOptions {
  readonly perSecond: number;
  readonly seconds: number;
  readonly dynamoUrl: string;
  /** A child that notes the age of each record. */
  readonly child: Command;
}

export const LATENCY_COLUMNS: readonly Column[] = [
  ...ageColumns(0),
  { figure: "putP50", title: "of it the put, p50", digits: 1 },
  { figure: "records", title: "Records", digits: 0 },
];

export function ageColumns(digits: number): readonly Column[] {
  return [
    { figure: "p50", title: "p50, ms", digits, better: "less" },
    { figure: "p90", title: "p90", digits, better: "less" },
    { figure: "p99", title: "p99", digits, better: "less" },
    { figure: "max", title: "max", digits, better: "less" },
  ];
}

/** By then traffic is steady, and the daemon has adapted to it. */
const SETTLE_MS = 3_000;

export function latencyCases(
  idleTimes: readonly IdleTime[],
  kinesisUrl: string,
  options: LatencyOptions,
): readonly Case[] {
  return idleTimes.map((idleTime) => ({
    labels: { idleTimeBetweenReadsInMillis: idleTime },
    measure: async (daemon) => {
      const stream = await EmulatedStream.create(kinesisUrl);
      const properties: Readonly<Record<string, string>> =
        idleTime === "default" ? {} : { idleTimeBetweenReadsInMillis: String(idleTime) };
      try {
        return await measureAges(daemon, stream, properties, options);
      } finally {
        stream.close();
      }
    },
  }));
}

/** Measures the records that are put into a new stream while a daemon reads it. */
export async function measureAges(
  daemon: Daemon,
  stream: EmulatedStream,
  properties: Readonly<Record<string, string>>,
  options: LatencyOptions,
): Promise<Figures> {
  const run = new DaemonRun(daemon, {
    ...options,
    kinesisUrl: stream.url,
    streamName: stream.name,
    applicationName: uniqueName(),
    properties,
  });
  try {
    await stream.put("the first");
    await run.waitFor("batch");
    const gapMs = 1000 / options.perSecond;
    await putSteadily(stream, gapMs, SETTLE_MS / gapMs);
    const puts = await putSteadily(stream, gapMs, options.seconds * options.perSecond);
    const settled = Math.round(SETTLE_MS / gapMs);
    const ages = await run.waitFor("age", settled + puts.length);
    const measured = ages.slice(settled).map(({ ageMs }) => ageMs);
    return {
      p50: quantile(measured, 0.5),
      p90: quantile(measured, 0.9),
      p99: quantile(measured, 0.99),
      max: Math.max(...measured),
      putP50: quantile(puts, 0.5),
      records: measured.length,
    };
  } finally {
    await run.stop();
  }
}

/** Puts single records at even intervals and returns how long each put took. */
export async function putSteadily(
  stream: EmulatedStream,
  gapMs: number,
  count: number,
): Promise<readonly number[]> {
  const durations: number[] = [];
  const beganMs = performance.now();
  for (let i = 0; i < Math.round(count); i += 1) {
    await sleep(Math.max(0, beganMs + i * gapMs - performance.now()));
    const startMs = preciseNowMs();
    await stream.put(String(Math.round(startMs * 1000) * 1000));
    durations.push(preciseNowMs() - startMs);
  }
  return durations;
}
