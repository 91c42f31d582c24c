// The cost of a daemon without traffic: all shards are empty and every child has been initialized.

import { setTimeout as sleep } from "node:timers/promises";
import { DaemonRun, failoverTimeFor } from "./daemonRun.ts";
import type { Daemon } from "./daemons.ts";
import { uniqueName } from "./paths.ts";
import type { Command } from "./processes.ts";
import type { Case, Figures } from "./series.ts";
import { startFakeKinesis } from "./services.ts";
import type { Column } from "./table.ts";
import { preciseNowMs } from "./wait.ts";

export interface IdleOptions {
  readonly shards: readonly number[];
  /** How long it is watched, and how long it may settle before. */
  readonly seconds: number;
  readonly settleSeconds: number;
  readonly child: Command;
  readonly dynamoUrl: string;
  readonly properties: Readonly<Record<string, string>>;
  /** Called after each run, with the start and the end of the measurement. */
  readonly after: (daemon: Daemon, run: DaemonRun, fromMs: number, toMs: number) => void;
}

export const IDLE_COLUMNS: readonly Column[] = [
  { figure: "rssMib", title: "RSS, MiB", digits: 0, better: "less" },
  { figure: "cpuPercent", title: "CPU, % of a core", digits: 1, better: "less" },
  { figure: "threads", title: "Threads", digits: 0 },
];

export function idleCases(options: IdleOptions): readonly Case[] {
  return options.shards.map((shards) => ({
    labels: { Shards: shards },
    measure: (daemon) => measure(daemon, shards, options),
  }));
}

async function measure(daemon: Daemon, shards: number, options: IdleOptions): Promise<Figures> {
  const fake = await startFakeKinesis({ shards, recordsPerShard: 0, bytes: 100 });
  const run = new DaemonRun(daemon, {
    ...options,
    properties: { ...failoverTimeFor(shards), ...options.properties },
    kinesisUrl: fake.url,
    streamName: "bench",
    applicationName: uniqueName(),
  });
  let fromMs = preciseNowMs();
  try {
    await run.waitFor("init", shards);
    await sleep(options.settleSeconds * 1000);
    fromMs = preciseNowMs();
    const cpuBefore = run.cpuSeconds();
    await sleep(options.seconds * 1000);
    const cpu = run.cpuSeconds() - cpuBefore;
    const seconds = (preciseNowMs() - fromMs) / 1000;
    run.program.mustRun();
    run.noLeaseLost(shards);
    return { cpuPercent: (cpu / seconds) * 100, ...run.memory() };
  } finally {
    const toMs = preciseNowMs();
    await run.stop();
    await fake.stop();
    options.after(daemon, run, fromMs, toMs);
  }
}
