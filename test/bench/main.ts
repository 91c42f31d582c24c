// `npm run bench -- MODE [options]`: the command line of the benchmarks.

import { mkdirSync } from "node:fs";
import { Command, Option } from "commander";
import { UserError } from "../../src/model/errors.ts";
import { Scope } from "../../src/sample/scope.ts";
import { chooseDaemons, machine } from "./daemons.ts";
import { floorCommand } from "./floor.ts";
import { operatingCommand } from "./operating.ts";
import { choices, count, counts, idleTimes, property } from "./options.ts";
import { RUNS } from "./paths.ts";
import {
  idle,
  install,
  keepup,
  lanes,
  latency,
  type Options,
  PROFILES,
  type Prepare,
  push,
  shards,
  startup,
  throughput,
  workers,
} from "./prepare.ts";
import { PROCESSORS } from "./processors.ts";
import { processorsCommand } from "./processorsCommand.ts";
import { produceCommand } from "./produce.ts";
import { saveTable } from "./readme.ts";
import { RETRIEVALS, type Retrieval } from "./retrieval.ts";
import { runSeries } from "./series.ts";
import { LOOP_DELAY } from "./shards.ts";
import { soakCommand } from "./soak.ts";
import { markdownTable } from "./table.ts";
import { buildGoPrograms } from "./tools.ts";

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
    .action((options: Options) => run(prepare, options));
}

function modes(): readonly Command[] {
  return [
    drain("throughput", "drain full shards: rate, CPU, memory", {}),
    drain("sizes", "the same with records of other sizes, and on many shards", {
      shards: [1, 16],
      sizes: [562, 25_600, 1_000_000],
      retrievals: ["polling"],
    }),
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
    command(
      "keepup",
      "shards written at the service's limit, slow children: behind, CPU, memory",
      keepup,
    )
      .addOption(counts("--shards <n...>", "numbers of shards", [1, 16, 64]))
      .addOption(counts("--work <ms...>", "how long a child takes for a batch", [0, 300, 1_000]))
      .addOption(choices("--retrieval <how...>", "how shards are read", RETRIEVALS, RETRIEVALS))
      .addOption(idleTimes([1_000, "default"]))
      .addOption(count("--backlog <seconds>", "written to each shard before it is read", 60))
      .addOption(count("--seconds <n>", "how long to watch when that is read", 60))
      .option("--profile", "show where our daemon's CPU goes", false),
    command("lanes", "one shard written at the service's limit, with several children", lanes)
      .addOption(counts("--lanes <n...>", "numbers of children", [1, 4, 10, 16]))
      .addOption(counts("--work <ms...>", "how long a child takes for a record", [0, 10]))
      .addOption(count("--settle <n>", "how long to wait before", 20))
      .addOption(count("--seconds <n>", "how long to watch", 30)),
    command("push", "from a put to the child by enhanced fan-out", push)
      .option("--emulator", "on the emulated Kinesis instead of the fake one", false)
      .addOption(count("--rate <n>", "records a second", 7))
      .addOption(count("--seconds <n>", "how long to put", 20)),
    command("latency", "from a put to the child by polling", latency)
      .addOption(idleTimes([200, "default"]))
      .addOption(count("--rate <n>", "records a second", 7))
      .addOption(count("--seconds <n>", "how long to put", 30)),
    command("install", "size of a production install", install),
    processorsCommand(),
    produceCommand(),
    floorCommand(),
  ];
}

interface DrainDefaults {
  readonly shards?: readonly number[];
  readonly sizes?: readonly number[];
  readonly retrievals?: readonly Retrieval[];
}

function drain(
  mode: "throughput" | "sizes",
  description: string,
  { shards = [1, 4], sizes = [100, 1024], retrievals = RETRIEVALS }: DrainDefaults,
): Command {
  return command(mode, description, throughput(mode))
    .addOption(counts("--shards <n...>", "numbers of shards", shards))
    .addOption(counts("--size <bytes...>", "bytes in each record", sizes))
    .addOption(count("--records <n>", "in all shards together", 1_000_000))
    .addOption(count("--megabytes <n>", "in all shards together at most", 2_000))
    .addOption(choices("--retrieval <how...>", "how shards are read", RETRIEVALS, retrievals))
    .addOption(choices("--child <name...>", "the processors", PROCESSORS, ["go"]))
    .option("--tls", "with TLS, as the service: HTTP/2 for all subscriptions", false)
    .addOption(count("--aggregate <n>", "KPL user records in each record", 0))
    .option("--profile", "show where our daemon's CPU goes", false);
}

async function main(argv: readonly string[]): Promise<void> {
  const program = new Command("npm run bench --")
    .description("Measures the daemon, beside the Java one if asked; see test/bench/README.md.")
    .showHelpAfterError();
  for (const mode of modes()) program.addCommand(mode);
  // An hour, and half of one: these are not part of `all`.
  program.addCommand(soakCommand());
  program.addCommand(operatingCommand());
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

// On Ctrl-C, the processes that were started end with the bench.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

try {
  await main(process.argv);
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  console.error(error.message);
  if (error.cause instanceof Error) console.error(error.cause.message);
  process.exitCode = 1;
}
