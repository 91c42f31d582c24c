// `npm run bench -- MODE [options]`: the command line of the measurements.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { UserError } from "../../src/model/errors.ts";
import { Scope } from "../../src/sample/scope.ts";
import { chooseDaemons, type Daemon, machine } from "./daemons.ts";
import { IDLE_COLUMNS, type IdleOptions, idleCases } from "./idle.ts";
import { INSTALL_COLUMNS, installCases } from "./install.ts";
import { type IdleTime, LATENCY_COLUMNS, type LatencyOptions, latencyCases } from "./latency.ts";
import { count, counts, idleTimes, property } from "./options.ts";
import { RUNS, WORK } from "./paths.ts";
import { PROCESSORS, type Processor, processorCommand } from "./processors.ts";
import { profileTable } from "./profile.ts";
import { protocolCommand } from "./protocol.ts";
import { PUSH_COLUMNS, pushCases } from "./push.ts";
import { saveTable } from "./readme.ts";
import { RETRIEVALS, type Retrieval } from "./retrieval.ts";
import { type Case, runSeries } from "./series.ts";
import { useDynamo, useKinesis } from "./services.ts";
import { LOOP_DELAY, SHARDS_COLUMNS, shardsCases } from "./shards.ts";
import { STARTUP_COLUMNS, startupCases } from "./startup.ts";
import { type Column, markdownTable } from "./table.ts";
import { THROUGHPUT_COLUMNS, throughputCases } from "./throughput.ts";
import { buildGoPrograms } from "./tools.ts";
import { WORKERS_COLUMNS, workersCases } from "./workers.ts";

/** All options of all modes, each with its default; a mode shows those that it uses. */
interface Options {
  readonly java: boolean;
  readonly jvm: string;
  readonly nodeArgs: string;
  readonly main: string;
  readonly baseline?: string;
  readonly rounds: number;
  readonly save: boolean;
  readonly set: Readonly<Record<string, string>>;
  readonly child: Processor;
  readonly workers: readonly number[];
  readonly shards: readonly number[];
  readonly size: readonly number[];
  readonly retrieval: readonly Retrieval[];
  readonly tls: boolean;
  readonly emulator: boolean;
  readonly records: number;
  readonly aggregate: number;
  readonly profile: boolean;
  readonly defaults: boolean;
  readonly seconds: number;
  readonly settle: number;
  readonly idle: readonly IdleTime[];
  readonly rate: number;
  readonly preload?: string;
}

interface Bench {
  readonly mode: string;
  readonly cases: readonly Case[];
  readonly columns: readonly Column[];
}

type Prepare = (options: Options, scope: Scope, daemons: readonly Daemon[]) => Promise<Bench>;

const throughput: Prepare = async (options, scope, daemons) => ({
  mode: "throughput",
  columns: THROUGHPUT_COLUMNS,
  cases: throughputCases({
    retrievals: options.retrieval,
    tls: options.tls,
    shards: options.shards,
    sizes: options.size,
    records: options.records,
    aggregate: options.aggregate,
    child: await processorCommand(options.child),
    properties: options.set,
    dynamoUrl: await useDynamo(scope, options.java),
    after: showProfile(options, daemons),
  }),
});

const startup =
  (mode: "startup" | "warmstart"): Prepare =>
  async (options, scope) => ({
    mode,
    columns: STARTUP_COLUMNS,
    cases: startupCases({
      warm: mode === "warmstart",
      defaultTimers: options.defaults,
      child: await processorCommand(options.child),
      kinesisUrl: await useKinesis(scope),
      dynamoUrl: await useDynamo(scope, options.java),
    }),
  });

const idle: Prepare = async (options, scope, daemons) => ({
  mode: "idle",
  columns: IDLE_COLUMNS,
  cases: idleCases({
    shards: options.shards,
    seconds: options.seconds,
    settleSeconds: options.settle,
    child: await processorCommand(options.child),
    dynamoUrl: await useDynamo(scope, options.java),
    properties: options.set,
    after: showProfile(options, daemons),
  }),
});

const shards: Prepare = async (options, scope, daemons) => ({
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

const workers: Prepare = async (options, scope) => ({
  mode: "workers",
  columns: WORKERS_COLUMNS,
  cases: workersCases({
    workers: options.workers,
    shards: options.shards,
    sizes: options.size,
    records: options.records,
    child: await processorCommand(options.child),
    properties: options.set,
    dynamoUrl: await useDynamo(scope, options.java),
  }),
});

const latency: Prepare = async (options, scope) => ({
  mode: "latency",
  columns: LATENCY_COLUMNS,
  cases: latencyCases(options.idle, await useKinesis(scope), await latencyOptions(options, scope)),
});

const push: Prepare = async (options, scope) => ({
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

const install: Prepare = async () => ({
  mode: "install",
  columns: INSTALL_COLUMNS,
  cases: installCases(),
});

const PROFILES = join(WORK, "profiles");

/** Only the first daemon writes one. */
function showProfile({ profile }: Options, [profiled]: readonly Daemon[]): IdleOptions["after"] {
  return (daemon, run, fromMs, toMs) => {
    if (!profile || daemon !== profiled) return;
    console.log(profileTable(PROFILES, run.sinceLaunch(fromMs), run.sinceLaunch(toMs)));
  };
}

async function run(prepare: Prepare, options: Options): Promise<void> {
  mkdirSync(RUNS, { recursive: true });
  await buildGoPrograms();
  const daemons = await chooseDaemons({
    ...options,
    ...(options.profile ? { profileFolder: PROFILES } : {}),
  });
  const scope = new Scope();
  try {
    const { mode, cases, columns } = await prepare(options, scope, daemons);
    const results = await runSeries({ mode, cases, daemons, rounds: options.rounds });
    const table = markdownTable(results, columns);
    const day = new Date().toISOString().slice(0, 10);
    const rounds = options.rounds > 1 ? `, medians of ${options.rounds} runs` : "";
    const text = `${table}\n\n${day}, ${machine()}${rounds}.`;
    console.log(`\n${text}`);
    if (options.save) saveTable(mode, text);
  } finally {
    await scope.close();
  }
}

function command(name: string, description: string, prepare: Prepare): Command {
  return new Command(name)
    .description(description)
    .option("--java", "measure the Java daemon (from Maven) too, in turn with ours", false)
    .option("--jvm <flags>", "for the Java daemon, such as --jvm=-Xmx512m", "")
    .option("--node-args <flags>", "for ours, such as --node-args=--trace-gc", "")
    .option("--main <file>", "the built program to measure", "dist/main.js")
    .option("--baseline <file>", "another build of ours to measure in turn with it")
    .addOption(count("--rounds <n>", "runs of each daemon and case", 3))
    .option("--save", "put the table into test/bench/README.md", false)
    .option("--set <key=value>", "another property; may be given again", property, {})
    .addOption(new Option("--child <name>", "the processor").choices(PROCESSORS).default("go"))
    .action((options: Options) => run(prepare, options));
}

function modes(): readonly Command[] {
  return [
    command("throughput", "drain full shards: rate, CPU, memory", throughput)
      .addOption(counts("--shards <n...>", "numbers of shards", [1, 4]))
      .addOption(counts("--size <bytes...>", "bytes in each record", [100, 1024]))
      .addOption(count("--records <n>", "in all shards together", 1_000_000))
      .addOption(
        new Option("--retrieval <how...>", "how shards are read")
          .choices(RETRIEVALS)
          .default(RETRIEVALS, RETRIEVALS.join(" ")),
      )
      .option("--tls", "with TLS, as the service: HTTP/2 for all subscriptions", false)
      .addOption(count("--aggregate <n>", "KPL user records in each record", 0))
      .option("--profile", "show where our daemon's CPU goes", false),
    command("startup", "launch to first records, for a new application", startup("startup")).option(
      "--defaults",
      "KCL's own timers instead of shortened ones",
      false,
    ),
    command("warmstart", "the same when the tables exist", startup("warmstart")).option(
      "--defaults",
      "KCL's own timers instead of shortened ones",
      false,
    ),
    command("idle", "memory and CPU while all shards are empty", idle)
      .addOption(counts("--shards <n...>", "numbers of shards", [1, 4, 16]))
      .option("--profile", "show where our daemon's CPU goes", false)
      .addOption(count("--seconds <n>", "how long to watch", 20))
      .addOption(count("--settle <n>", "how long to wait before", 5)),
    command("shards", "many shards: idle, and one of them busy", shards)
      .addOption(counts("--shards <n...>", "numbers of shards", [1, 16, 64, 256]))
      .option("--profile", "show where our daemon's CPU goes", false)
      .addOption(count("--rate <n>", "records a second in the busy shard", 5))
      .addOption(count("--seconds <n>", "how long to watch, idle and busy", 20))
      .addOption(count("--settle <n>", "how long to wait before", 10))
      .addOption(new Option("--preload <file>").default(LOOP_DELAY).hideHelp()),
    command("workers", "full shards, drained by one daemon or by several", workers)
      .addOption(counts("--workers <n...>", "numbers of daemons", [1, 2]))
      .addOption(counts("--shards <n...>", "numbers of shards", [16]))
      .addOption(counts("--size <bytes...>", "bytes in each record", [100, 1024]))
      .addOption(count("--records <n>", "in all shards together", 2_000_000)),
    command("push", "from a put to the child by enhanced fan-out", push)
      .option("--emulator", "on the emulated Kinesis instead of the fake one", false)
      .addOption(count("--rate <n>", "records a second", 7))
      .addOption(count("--seconds <n>", "how long to put", 20)),
    command("latency", "from a put to the child by polling", latency)
      .addOption(idleTimes())
      .addOption(count("--rate <n>", "records a second", 5))
      .addOption(count("--seconds <n>", "how long to put", 30)),
    command("install", "size of a production install", install),
    protocolCommand(),
  ];
}

async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("npm run bench --")
    .description("Measures the daemon, beside the Java one if asked; see test/bench/README.md.")
    .showHelpAfterError();
  for (const mode of modes()) program.addCommand(mode);
  program
    .command("all")
    .description("every mode with its defaults")
    .option("--java", "measure the Java daemon too, in turn with ours", false)
    .option("--save", "put the tables into test/bench/README.md", false)
    .action(async (flags: Readonly<Record<string, boolean>>) => {
      const given = Object.keys(flags).filter((name) => flags[name]);
      for (const mode of modes()) {
        await mode.parseAsync(
          given.map((name) => `--${name}`),
          { from: "user" },
        );
      }
    });
  if (argv.length === 2) program.help();
  await program.parseAsync(argv);
}

// Ctrl-C: what was started ends with us.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

try {
  await main(process.argv);
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(error.message);
  if (error.cause instanceof Error) console.error(error.cause.message);
  process.exitCode = 1;
}
