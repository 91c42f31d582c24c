// `npm run simulate -- --scale`: reports a large fleet's load on its table, its recovery times and
// the cost of its decisions.

import { on } from "node:events";
import { Worker } from "node:worker_threads";
import type { Lease } from "../../src/leases/lease.ts";
import { formatted, printRow } from "./calm.ts";
import { decisionCosts } from "./decisionCost.ts";
import type { LargeSize, Step } from "./large.ts";
import { type Chapter, type Progress, STORIES } from "./largeStories.ts";
import { PARTITIONS } from "./units.ts";

/** The heap limit of each scenario. */
const HEAP_MB = 2_000;

const COLUMNS = [
  ...["incident", "served after s", "even after s", "leases taken", "scans/s"],
  ...["read units/s", "busiest second", "writes/s", "busiest second", "busiest partition"],
];

export async function printScale(size: LargeSize): Promise<void> {
  printRow(...COLUMNS);
  printRow(...COLUMNS.map((_, i) => (i === 0 ? "---" : "---:")));
  const ends = await Promise.all(STORIES.map((story) => follow({ story, ...size })));
  const rows = ends.flatMap(({ rows }) => rows);
  console.log(`\nOne scan of ${formatted(rows.length)} leases, in ms of CPU time:`);
  for (const { what, cpuMs } of decisionCosts(rows)) console.log(`  ${what}: ${cpuMs.toFixed(1)}`);
  console.log(
    `\nA partition takes 1,000 writes and 3,000 read units per second; a new on-demand table has ${PARTITIONS}.`,
  );
  for (const { failed } of ends) {
    if (failed === undefined) continue;
    console.log(`FAILED: ${failed}`);
    process.exitCode = 1;
  }
}

interface End {
  readonly rows: readonly Lease[];
  readonly failed: string | undefined;
}

async function follow(chapter: Chapter): Promise<End> {
  const resourceLimits = { maxOldGenerationSizeMb: HEAP_MB };
  const thread = new Worker(new URL("./thread.js", import.meta.url), { resourceLimits });
  try {
    thread.postMessage(chapter);
    let rows: readonly Lease[] = [];
    for await (const [progress] of on(thread, "message") as AsyncIterable<[Progress]>) {
      if ("end" in progress) break;
      if ("failed" in progress)
        return { rows, failed: `the fleet that ${chapter.story}: ${progress.failed}` };
      if ("rows" in progress) rows = progress.rows;
      else print(progress.step);
    }
    return { rows, failed: undefined };
  } finally {
    await thread.terminate();
  }
}

function print({ what, servedAfterMs, evenAfterMs, taken, scansPerSecond, loads }: Step): void {
  const mean = (each: readonly number[]) =>
    each.reduce((a, b) => a + b, 0) / Math.max(1, each.length);
  const reads = loads.map(({ read }) => Math.round(read));
  const writes = loads.map(({ written }) => written);
  const partitions = loads.flatMap((load) => load.partitions.filter((units) => units > 0));
  printRow(
    what,
    ...[servedAfterMs / 1_000, evenAfterMs / 1_000, taken, scansPerSecond].map(formatted),
    ...[mean(reads), Math.max(...reads)].map(formatted),
    ...[mean(writes), Math.max(...writes), Math.max(...partitions)].map(formatted),
  );
}
