// What the protocol costs for each record: batches from memory over the real pipes to an echo processor and back, on
// our client of each language. No stream and no table take part.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { Command } from "commander";
import { startProcessor } from "../../src/child/startProcessor.ts";
import { systemClock } from "../../src/clock.ts";
import { batchOf } from "../../src/try/recordBatch.ts";
import { machine } from "./daemons.ts";
import { BENCH, BIN, RUNS } from "./paths.ts";
import { cpuSeconds } from "./proc.ts";
import { type Command as Argv, runToEnd } from "./processes.ts";
import { saveTable } from "./readme.ts";

const SIZES = [100, 1024] as const;
const BATCH = 1_000;
/** Interpreters that compile as they go are measured when they have. */
const WARM_UP_BATCHES = 30;
const BATCHES = 200;
const ROUNDS = 3;
const GRACE_MS = 2_000;
const MICROS = 1_000_000;

async function processors(): Promise<Readonly<Record<string, Argv>>> {
  const go = join(BIN, "echo-go");
  const source = join(BENCH, "processors", "echo-go");
  await runToEnd(["go", "build", "-buildvcs=false", "-o", go, "."], source);
  return {
    Python: ["python3", join(BENCH, "processors", "echo.py"), "kinesis_multilang"],
    Ruby: ["ruby", join(BENCH, "processors", "echo.rb")],
    Node: [process.execPath, join(BENCH, "processors", "echo.mjs")],
    Go: [go],
  };
}

interface Cost {
  /** Microseconds a record: until the status is there; CPU of the child; of this process. */
  readonly wall: number;
  readonly child: number;
  readonly host: number;
}

export function protocolCommand(): Command {
  return new Command("protocol")
    .description("cost of a record between daemon and echo processor, by language")
    .option("--java", "ignored: no daemon takes part", false)
    .option("--save", "put the table into test/bench/README.md", false)
    .action(run);
}

async function run({ save }: { readonly save: boolean }): Promise<void> {
  mkdirSync(RUNS, { recursive: true });
  const rows: string[] = [];
  for (const [language, argv] of Object.entries(await processors())) {
    for (const bytes of SIZES) {
      const costs: Cost[] = [];
      for (let round = 0; round < ROUNDS; round++) costs.push(await measure(argv, bytes));
      const middle = (of: (cost: Cost) => number) =>
        (costs.map(of).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0).toFixed(2);
      const cells = [
        language,
        bytes,
        middle((c) => c.wall),
        middle((c) => c.child),
        middle((c) => c.host),
      ];
      rows.push(`| ${cells.join(" | ")} |`);
      console.error(rows.at(-1));
    }
  }
  const head =
    "| Language | Bytes | µs a record | of that, CPU of the processor | and of the daemon |\n| --- | --: | --: | --: | --: |";
  const day = new Date().toISOString().slice(0, 10);
  const text = `${head}\n${rows.join("\n")}\n\n${day}, ${machine()}, batches of ${BATCH}, medians of ${ROUNDS} runs.`;
  console.log(text);
  if (save) saveTable("protocol", text);
}

async function measure([file, ...args]: Argv, bytes: number): Promise<Cost> {
  const start = startProcessor({
    command: { file, args },
    workerId: "bench",
    env: { BENCH_NOTES: RUNS },
    closeGraceMs: GRACE_MS,
    terminateGraceMs: GRACE_MS,
    clock: systemClock,
    emit: () => {},
  });
  const processor = await start("shardId-000000000000", async () => {});
  try {
    await processor.initialize({ sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 });
    const batch = batchOf(Array.from({ length: BATCH }, (_, index) => recordOf(index, bytes)));
    for (let i = 0; i < WARM_UP_BATCHES; i++) await processor.processRecords(batch, 0);
    const begun = {
      ms: performance.now(),
      child: cpuSeconds([processor.pid]),
      host: process.cpuUsage(),
    };
    for (let i = 0; i < BATCHES; i++) await processor.processRecords(batch, 0);
    const wallMs = performance.now() - begun.ms;
    const { user, system } = process.cpuUsage(begun.host);
    const records = BATCHES * BATCH;
    return {
      wall: (wallMs * 1000) / records,
      child: ((cpuSeconds([processor.pid]) - begun.child) * MICROS) / records,
      host: (user + system) / records,
    };
  } finally {
    await processor.stop();
  }
}

function recordOf(index: number, bytes: number): string {
  return JSON.stringify({
    data: Buffer.alloc(bytes, `${index} `).toString("base64"),
    partitionKey: `key-${index}`,
    sequenceNumber: String(
      49590338271490256608559692538361571095921575989136588898n + BigInt(index),
    ),
    approximateArrivalTimestamp: 1_767_225_601_000,
    subSequenceNumber: 0,
    action: "record",
  });
}
