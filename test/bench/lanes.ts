// Measures one shard that is written at the service's limit, with several children. The children
// take time for each record: how many lanes keep up? And what does a record cost the daemon, when
// the children take no time?

import { setTimeout as sleep } from "node:timers/promises";
import { DaemonRun, type DaemonRunOptions } from "./daemonRun.ts";
import type { Daemon } from "./daemons.ts";
import { REAL_FAILOVER, RECORD_BYTES, WRITTEN_PER_SECOND, watch } from "./keepup.ts";
import { uniqueName } from "./paths.ts";
import type { Case, Figures } from "./series.ts";
import { startFakeKinesis } from "./services.ts";
import type { Column } from "./table.ts";

export interface LanesOptions
  extends Pick<DaemonRunOptions, "child" | "dynamoUrl">,
    Required<Pick<DaemonRunOptions, "properties">> {
  readonly lanes: readonly number[];
  /** How long a child takes for a record. */
  readonly workMs: readonly number[];
  /** How long the daemon runs before it is watched. */
  readonly settleSeconds: number;
  readonly seconds: number;
}

export const LANES_COLUMNS: readonly Column[] = [
  { figure: "recordsPerSecond", title: "records/s", digits: 0, better: "more" },
  { figure: "behindSeconds", title: "behind, s", digits: 2, better: "less" },
  { figure: "worstBehindSeconds", title: "worst lane", digits: 2, better: "less" },
  { figure: "recordsPerBatch", title: "records a batch", digits: 0 },
  { figure: "cpuPerMillion", title: "CPU s per million", digits: 2, better: "less" },
  { figure: "rssMib", title: "RSS, MiB", digits: 0, better: "less" },
];

export function lanesCases(options: LanesOptions): readonly Case[] {
  return options.workMs.flatMap((workMs) =>
    options.lanes.map((lanes) => ({
      labels: { "ms a record": workMs, Lanes: lanes },
      measure: (daemon: Daemon) => measure(daemon, lanes, workMs, options),
    })),
  );
}

async function measure(
  daemon: Daemon,
  lanes: number,
  workMs: number,
  options: LanesOptions,
): Promise<Figures> {
  const fake = await startFakeKinesis({
    shards: 1,
    recordsPerShard: 0,
    bytes: RECORD_BYTES,
    perSecond: WRITTEN_PER_SECOND,
    limited: true,
  });
  const run = new DaemonRun(daemon, {
    ...options,
    child: [...options.child, `-each=${workMs}ms`, "-checkpoint", "-upto"],
    kinesisUrl: fake.url,
    streamName: "bench",
    applicationName: uniqueName(),
    properties: {
      ...REAL_FAILOVER,
      parallelizationFactor: String(lanes),
      ...options.properties,
    },
  });
  try {
    await run.waitFor("init", lanes);
    await sleep(options.settleSeconds * 1000);
    const figures = await watch(run, fake, 1, options.seconds);
    run.noLeaseLost(lanes);
    return figures;
  } finally {
    await run.stop();
    await fake.stop();
  }
}
