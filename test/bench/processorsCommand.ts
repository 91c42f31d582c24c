// `npm run bench -- processors`: its options and its table.

import { mkdirSync } from "node:fs";
import { Command } from "commander";
import { CLIENTS, type Client } from "./clients.ts";
import { COST_COLUMNS, costCases, rivals } from "./cost.ts";
import { machine } from "./daemons.ts";
import { choices, count, counts } from "./options.ts";
import { RUNS } from "./paths.ts";
import { saveTable } from "./readme.ts";
import { runSeries } from "./series.ts";
import { markdownTable } from "./table.ts";

interface Options {
  readonly client: readonly Client[];
  readonly size: readonly number[];
  readonly records: number;
  readonly seconds: number;
  readonly shards: number;
  readonly rounds: number;
  readonly floor: boolean;
  readonly save: boolean;
}

const OURS = CLIENTS.filter((client) => client !== "kclpy");

export function processorsCommand(): Command {
  return new Command("processors")
    .description("what a record costs a processor in each language, flat out and paced")
    .addOption(choices("--client <name...>", "the clients", CLIENTS, OURS))
    .addOption(counts("--size <bytes...>", "bytes in each record", [1024]))
    .addOption(count("--records <n>", "records to measure flat out", 300_000))
    .addOption(count("--seconds <n>", "how long to measure paced processors", 20))
    .addOption(count("--shards <n>", "how many processors are paced in parallel", 16))
    .addOption(count("--rounds <n>", "runs of each case", 3))
    .option("--floor", "measure Python, Node and Ruby without a client too", false)
    .option("--java", "ignored: no daemon takes part", false)
    .option("--save", "put the table into test/bench/README.md", false)
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { rounds, save } = options;
  mkdirSync(RUNS, { recursive: true });
  const results = await runSeries({
    mode: "processors",
    cases: costCases({ ...options, sizes: options.size }),
    daemons: await rivals(options.client, options.floor),
    rounds,
  });
  const day = new Date().toISOString().slice(0, 10);
  const table = markdownTable(results, COST_COLUMNS, "Client");
  const text = `${table}\n\n${day}, ${machine()}, medians of ${rounds} runs.`;
  console.log(`\n${text}`);
  if (save) saveTable("processors", text);
}
