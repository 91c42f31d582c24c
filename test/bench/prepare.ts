// Builds each mode's measurements from its options.

import { join } from "node:path";
import type { Scope } from "../../src/sample/scope.ts";
import type { Daemon } from "./daemons.ts";
import { IDLE_COLUMNS, type IdleOptions, idleCases } from "./idle.ts";
import { INSTALL_COLUMNS, installCases } from "./install.ts";
import { KEEPUP_COLUMNS, keepupCases } from "./keepup.ts";
import { LANES_COLUMNS, lanesCases } from "./lanes.ts";
import { type IdleTime, LATENCY_COLUMNS, type LatencyOptions, latencyCases } from "./latency.ts";
import { WORK } from "./paths.ts";
import { type Processor, processorCommand, processorCommands } from "./processors.ts";
import { profileTable } from "./profile.ts";
import { PUSH_COLUMNS, pushCases } from "./push.ts";
import type { Retrieval } from "./retrieval.ts";
import type { Case } from "./series.ts";
import { useDynamo, useKinesis } from "./services.ts";
import { SHARDS_COLUMNS, shardsCases } from "./shards.ts";
import { STARTUP_COLUMNS, startupCases } from "./startup.ts";
import type { Column } from "./table.ts";
import { THROUGHPUT_COLUMNS, throughputCases } from "./throughput.ts";
import { WORKERS_COLUMNS, workersCases } from "./workers.ts";

/** The options of all modes, with their defaults. A mode shows those that it uses. */
export interface Options {
  readonly java: boolean;
  readonly jvm: string;
  readonly nodeArgs: string;
  readonly main: string;
  readonly baseline?: string;
  readonly rounds: number;
  readonly save: boolean;
  readonly set: Readonly<Record<string, string>>;
  readonly child: readonly Processor[];
  readonly workers: readonly number[];
  readonly shards: readonly number[];
  readonly size: readonly number[];
  readonly retrieval: readonly Retrieval[];
  readonly tls: boolean;
  readonly emulator: boolean;
  readonly records: number;
  readonly megabytes: number;
  readonly aggregate: number;
  readonly profile: boolean;
  readonly defaults: boolean;
  readonly seconds: number;
  readonly settle: number;
  readonly idle: readonly IdleTime[];
  readonly rate: number;
  readonly work: readonly number[];
  readonly backlog: number;
  readonly lanes: readonly number[];
  readonly preload?: string;
}

interface Bench {
  readonly mode: string;
  readonly cases: readonly Case[];
  readonly columns: readonly Column[];
}

export type Prepare = (
  options: Options,
  scope: Scope,
  daemons: readonly Daemon[],
) => Promise<Bench>;

export const throughput =
  (mode: "throughput" | "sizes"): Prepare =>
  async (options, scope, daemons) => ({
    mode,
    columns: THROUGHPUT_COLUMNS,
    cases: throughputCases({
      retrievals: options.retrieval,
      tls: options.tls,
      shards: options.shards,
      sizes: options.size,
      records: options.records,
      megabytes: options.megabytes,
      aggregate: options.aggregate,
      processors: await processorCommands(options.child),
      properties: options.set,
      dynamoUrl: await useDynamo(scope, options.java),
      after: showProfile(options, daemons),
    }),
  });

export const startup =
  (mode: "startup" | "warmstart"): Prepare =>
  async (options, scope) => ({
    mode,
    columns: STARTUP_COLUMNS,
    cases: startupCases({
      warm: mode === "warmstart",
      defaultTimers: options.defaults,
      child: await processorCommand("go"),
      kinesisUrl: await useKinesis(scope),
      dynamoUrl: await useDynamo(scope, options.java),
    }),
  });

export const idle: Prepare = async (options, scope, daemons) => ({
  mode: "idle",
  columns: IDLE_COLUMNS,
  cases: idleCases({
    shards: options.shards,
    seconds: options.seconds,
    settleSeconds: options.settle,
    child: await processorCommand("go"),
    dynamoUrl: await useDynamo(scope, options.java),
    properties: options.set,
    after: showProfile(options, daemons),
  }),
});

export const shards: Prepare = async (options, scope, daemons) => ({
  mode: "shards",
  columns: SHARDS_COLUMNS,
  cases: shardsCases({
    ...(await latencyOptions(options, scope)),
    shards: options.shards,
    settleSeconds: options.settle,
    properties: options.set,
    after: showProfile(options, daemons),
  }),
});

export const workers: Prepare = async (options, scope) => ({
  mode: "workers",
  columns: WORKERS_COLUMNS,
  cases: workersCases({
    workers: options.workers,
    shards: options.shards,
    sizes: options.size,
    records: options.records,
    child: await processorCommand("go"),
    properties: options.set,
    dynamoUrl: await useDynamo(scope, options.java),
  }),
});

export const keepup: Prepare = async (options, scope, daemons) => ({
  mode: "keepup",
  columns: KEEPUP_COLUMNS,
  cases: keepupCases({
    shards: options.shards,
    workMs: options.work,
    retrievals: options.retrieval,
    idleTimes: options.idle,
    backlogSeconds: options.backlog,
    seconds: options.seconds,
    properties: options.set,
    dynamoUrl: await useDynamo(scope, options.java),
    child: await processorCommand("go"),
    after: showProfile(options, daemons),
  }),
});

export const lanes: Prepare = async (options, scope) => ({
  mode: "lanes",
  columns: LANES_COLUMNS,
  cases: lanesCases({
    lanes: options.lanes,
    workMs: options.work,
    settleSeconds: options.settle,
    seconds: options.seconds,
    properties: options.set,
    dynamoUrl: await useDynamo(scope, options.java),
    child: await processorCommand("go"),
  }),
});

export const latency: Prepare = async (options, scope) => ({
  mode: "latency",
  columns: LATENCY_COLUMNS,
  cases: latencyCases(options.idle, await useKinesis(scope), await latencyOptions(options, scope)),
});

export const push: Prepare = async (options, scope) => ({
  mode: "push",
  columns: PUSH_COLUMNS,
  cases: pushCases({
    ...(await latencyOptions(options, scope)),
    ...(options.emulator && { emulatorUrl: await useKinesis(scope) }),
  }),
});

async function latencyOptions(options: Options, scope: Scope): Promise<LatencyOptions> {
  return {
    perSecond: options.rate,
    seconds: options.seconds,
    dynamoUrl: await useDynamo(scope, options.java),
    child: [...(await processorCommand("go")), "-age"],
  };
}

export const install: Prepare = async () => ({
  mode: "install",
  columns: INSTALL_COLUMNS,
  cases: installCases(),
});

export const PROFILES = join(WORK, "profiles");

/** Only the first daemon writes a profile. */
function showProfile({ profile }: Options, [profiled]: readonly Daemon[]): IdleOptions["after"] {
  return (daemon, run, fromMs, toMs) => {
    if (!profile || daemon !== profiled) return;
    console.log(profileTable(PROFILES, run.sinceLaunch(fromMs), run.sinceLaunch(toMs)));
  };
}
