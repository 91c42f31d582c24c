// The time from a daemon's launch to the first records at its child, for a new application and for
// one whose tables exist.

import { DaemonRun, type DaemonRunOptions } from "./daemonRun.ts";
import type { Daemon } from "./daemons.ts";
import { EmulatedStream } from "./emulated.ts";
import { uniqueName } from "./paths.ts";
import type { Command } from "./processes.ts";
import type { Case, Figures } from "./series.ts";
import type { Column } from "./table.ts";

export interface StartupOptions {
  /** The tables exist: an earlier worker has processed records, checkpointed and stopped. */
  readonly warm: boolean;
  /** KCL's own timers instead of shortened ones. */
  readonly defaultTimers: boolean;
  readonly child: Command;
  readonly kinesisUrl: string;
  readonly dynamoUrl: string;
}

export const STARTUP_COLUMNS: readonly Column[] = [
  { figure: "daemonStarted", title: "Settings read, s", digits: 2 },
  { figure: "leaseTableCreated", title: "Table made, s", digits: 2 },
  { figure: "leaseTaken", title: "Lease taken, s", digits: 2 },
  { figure: "startSeconds", title: "Child runs, s", digits: 2, better: "less" },
  { figure: "initializeSeconds", title: "`initialize`, s", digits: 2, better: "less" },
  { figure: "recordsSeconds", title: "First records, s", digits: 2, better: "less" },
  { figure: "cpu", title: "CPU s until then", digits: 2, better: "less" },
  { figure: "rssMib", title: "RSS, MiB", digits: 0, better: "less" },
];

export function startupCases(options: StartupOptions): readonly Case[] {
  const { warm, defaultTimers } = options;
  const labels = {
    Tables: warm ? "exist" : "new",
    Timers: defaultTimers ? "default" : "shortened",
  };
  return [{ labels, measure: (daemon) => measure(daemon, options) }];
}

async function measure(daemon: Daemon, options: StartupOptions): Promise<Figures> {
  const stream = await EmulatedStream.create(options.kinesisUrl);
  try {
    const shared = {
      ...options,
      streamName: stream.name,
      applicationName: uniqueName(),
      // Java's own default of 0 gives a child no time for its last checkpoint.
      properties: { shutdownGraceMillis: "20000" },
    };
    await stream.putTen();
    if (options.warm) {
      await goBefore(daemon, shared);
      await stream.putTen();
    }
    return await launch(daemon, { ...shared, workerId: "worker-2" });
  } finally {
    stream.close();
  }
}

async function goBefore(daemon: Daemon, options: DaemonRunOptions): Promise<void> {
  const run = new DaemonRun(daemon, options);
  try {
    await run.waitFor("batch");
  } finally {
    await run.stop();
  }
}

async function launch(daemon: Daemon, options: DaemonRunOptions): Promise<Figures> {
  const run = new DaemonRun(daemon, options);
  try {
    const [records] = await run.waitFor("batch");
    const cpu = run.cpuSeconds();
    const [start] = run.notes.of("start");
    const [initialize] = run.notes.of("init");
    return {
      startSeconds: run.sinceLaunch(start?.atMs),
      initializeSeconds: run.sinceLaunch(initialize?.atMs),
      recordsSeconds: run.sinceLaunch(records?.atMs),
      cpu,
      ...run.memory(),
      ...ownSteps(run),
    };
  } finally {
    await run.stop();
  }
}

/** When our daemon logs the steps before the child's start, in seconds from its launch. */
function ownSteps(run: DaemonRun): Figures {
  const steps = ["daemonStarted", "leaseTableCreated", "leaseTaken"];
  const lines = run.program.log.split("\n").filter((line) => line.startsWith("{"));
  const events = lines.map((line) => JSON.parse(line) as { event: string; time: string });
  return Object.fromEntries(
    steps.flatMap((step) => {
      const event = events.find((each) => each.event === step);
      return event ? [[step, run.sinceLaunch(Date.parse(event.time))]] : [];
    }),
  );
}
