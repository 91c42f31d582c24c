// The cost of a record in the processor, on our client of each language. Batches go from memory
// over real pipes to an echo processor and back, without a stream or a table.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { startProcessor } from "../../src/child/startProcessor.ts";
import { systemClock } from "../../src/clock.ts";
import type { RecordBatch } from "../../src/model/batch.ts";
import { batchOf } from "../../src/model/batch.ts";
import { type Client, clientCommand, FLOORS } from "./clients.ts";
import { RUNS, uniqueName } from "./paths.ts";
import { cpuSeconds, memory } from "./proc.ts";
import type { Command } from "./processes.ts";
import type { Case, Figures } from "./series.ts";
import type { Column } from "./table.ts";

export interface CostOptions {
  readonly sizes: readonly number[];
  /** How many records are measured flat out. A fifth of that number is sent before. */
  readonly records: number;
  /** How long paced processors are measured. */
  readonly seconds: number;
  /** How many processors are paced at the same time. */
  readonly shards: number;
}

/** What is measured in turn. */
export interface Rival {
  readonly label: string;
  readonly command: Command;
}

export const COST_COLUMNS: readonly Column[] = [
  { figure: "cpuPerMillion", title: "CPU s per million", digits: 2 },
  { figure: "peakMib", title: "Peak RSS of each, MiB", digits: 0 },
  { figure: "recordsPerSecond", title: "Records/s, all together", digits: 0 },
  { figure: "hostPerMillion", title: "CPU s per million of the sender", digits: 2 },
];

/** As many as one GetRecords call returns, up to its 10 MiB. */
const FLAT_OUT_BATCH = 10_000;
const FLAT_OUT_BATCH_BYTES = 10 * 1024 * 1024;
/** The rate that a shard accepts, and what the daemon reads from it in one call by default. */
const PACED_RECORDS_PER_SECOND = 1_000;
const PACED_BATCH = 250;
const PACED_WARM_UP_SECONDS = 5;
const WARM_UP_SHARE = 5;
/** Bash costs 30 times as much as the next client, so it gets fewer records, on one shard. */
const SLOW: ReadonlySet<string> = new Set(["bash"]);
const SLOW_SHARE = 20;

const GRACE_MS = 5_000;
const PER_MILLION = 1e6;
const MICROS_PER_SECOND = 1e6;

/** @param floors whether to measure beside each client what its language takes without it. */
export async function rivals(
  clients: readonly Client[],
  floors: boolean,
): Promise<readonly Rival[]> {
  const found: Rival[] = [];
  for (const label of clients) {
    found.push({ label, command: await clientCommand(label) });
    const floor = floors && FLOORS.get(label);
    if (floor) found.push({ label: `${label}, without a client`, command: floor });
  }
  return found;
}

export function costCases(options: CostOptions): readonly Case<Rival>[] {
  return options.sizes.flatMap((bytes) => [
    {
      labels: { Bytes: bytes, Pace: "flat out", Shards: 1 },
      measure: (rival: Rival) => flatOut(rival, bytes, options.records),
    },
    {
      labels: { Bytes: bytes, Pace: "1,000 a second and shard", Shards: options.shards },
      measure: (rival: Rival) => paced(rival, bytes, options),
    },
  ]);
}

function flatOut({ label, command }: Rival, bytes: number, wanted: number): Promise<Figures> {
  const records = Math.ceil(wanted / (SLOW.has(label) ? SLOW_SHARE : 1));
  const size = Math.min(FLAT_OUT_BATCH, Math.floor(FLAT_OUT_BATCH_BYTES / bytes), records);
  const batch = recordsOf(size, bytes);
  return withProcessors(command, 1, async ([processor], measured) => {
    const send = async (count: number) => {
      for (let sent = 0; sent < count; sent += size) await processor?.processRecords(batch, 0);
      return Math.ceil(count / size) * size;
    };
    await send(records / WARM_UP_SHARE);
    return measured(() => send(records));
  });
}

function paced(
  { label, command }: Rival,
  bytes: number,
  { shards, seconds }: CostOptions,
): Promise<Figures> {
  const batch = recordsOf(PACED_BATCH, bytes);
  return withProcessors(command, SLOW.has(label) ? 1 : shards, async (processors, measured) => {
    const everyMs = (PACED_BATCH / PACED_RECORDS_PER_SECOND) * 1_000;
    const send = async (forSeconds: number) => {
      const times = Math.ceil((forSeconds * 1_000) / everyMs);
      const beganMs = performance.now();
      await Promise.all(
        processors.map(async (processor, index) => {
          for (let time = 0; time < times; time++) {
            // The processors' batches are spread over the interval.
            const dueMs = beganMs + (time + index / processors.length) * everyMs;
            await sleep(Math.max(0, dueMs - performance.now()));
            await processor.processRecords(batch, 0);
          }
        }),
      );
      return times * batch.count * processors.length;
    };
    await send(PACED_WARM_UP_SECONDS);
    return measured(() => send(seconds));
  });
}

type Started = Awaited<ReturnType<ReturnType<typeof startProcessor>>>;
type Measured = (send: () => Promise<number>) => Promise<Figures>;

/** Starts the processors, and ends them when `use` is done. */
async function withProcessors(
  [file, ...args]: Command,
  count: number,
  use: (processors: readonly Started[], measured: Measured) => Promise<Figures>,
): Promise<Figures> {
  const notes = join(RUNS, uniqueName());
  mkdirSync(notes, { recursive: true });
  const start = startProcessor({
    command: { file, args },
    workerId: "bench",
    env: { BENCH_NOTES: notes },
    closeGraceMs: GRACE_MS,
    terminateGraceMs: GRACE_MS,
    clock: systemClock,
    emit: () => {},
  });
  const processors: Started[] = [];
  try {
    for (let index = 0; index < count; index++) {
      const processor = await start(`shardId-${String(index).padStart(12, "0")}`, async () => {});
      processors.push(processor);
      await processor.initialize({ sequenceNumber: "TRIM_HORIZON", subSequenceNumber: 0 });
    }
    const pids = processors.map(({ pid }) => pid);
    return await use(processors, (send) => measure(pids, send));
  } finally {
    await Promise.all(processors.map((processor) => processor.stop()));
  }
}

async function measure(pids: readonly number[], send: () => Promise<number>): Promise<Figures> {
  const begun = { ms: performance.now(), children: cpuSeconds(pids), host: process.cpuUsage() };
  const records = await send();
  const seconds = (performance.now() - begun.ms) / 1_000;
  const { user, system } = process.cpuUsage(begun.host);
  return {
    cpuPerMillion: ((cpuSeconds(pids) - begun.children) / records) * PER_MILLION,
    peakMib: memory(pids).peakMib / pids.length,
    recordsPerSecond: records / seconds,
    hostPerMillion: ((user + system) / MICROS_PER_SECOND / records) * PER_MILLION,
  };
}

function recordsOf(count: number, bytes: number): RecordBatch {
  return batchOf(Array.from({ length: count }, (_, index) => recordOf(index, bytes)));
}

/**
 * A record as the daemon writes it. The payload looks random, so that branch prediction has no
 * unrealistic advantage.
 */
function recordOf(index: number, bytes: number): string {
  const data = Buffer.alloc(bytes);
  let state = (index + 1) * 2_654_435_761;
  for (let at = 0; at < bytes; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[at] = state >>> 24;
  }
  return JSON.stringify({
    data: data.toString("base64"),
    partitionKey: `key-${index}`,
    sequenceNumber: String(
      49590338271490256608559692538361571095921575989136588898n + BigInt(index),
    ),
    approximateArrivalTimestamp: 1_767_225_601_000,
    subSequenceNumber: 0,
    action: "record",
  });
}
