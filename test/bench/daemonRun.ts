// A daemon under measurement. It is started with a properties file, and watched through its
// processors' notes and through /proc.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";
import type { Daemon } from "./daemons.ts";
import { type Note, Notes } from "./notes.ts";
import { RUNS, uniqueName } from "./paths.ts";
import { cpuSeconds, type Memory, memory, processTree } from "./proc.ts";
import { type Command, Program } from "./processes.ts";
import { preciseNowMs, waitFor } from "./wait.ts";

export interface DaemonRunOptions {
  readonly child: Command;
  readonly kinesisUrl: string;
  readonly dynamoUrl: string;
  readonly streamName: string;
  readonly applicationName: string;
  readonly workerId?: string;
  /** Keep KCL's timers. Otherwise they are shortened, so that a run does not mostly wait. */
  readonly defaultTimers?: boolean;
  readonly properties?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
}

const SHORT_TIMERS = {
  failoverTimeMillis: "3000",
  leaseAssignmentIntervalMillis: "3000",
  shardSyncIntervalMillis: "1000",
  parentShardPollIntervalMillis: "1000",
};

const ENVIRONMENT = {
  AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
  AWS_EC2_METADATA_DISABLED: "true",
};

/** A busy emulator cannot renew this many leases within a third of the shortened time. */
const MANY_SHARDS = 16;

/**
 * KCL's own failover time, if the shortened one would lose leases. An explicit setting takes
 * precedence.
 */
export function failoverTimeFor(shards: number): Readonly<Record<string, string>> {
  return shards > MANY_SHARDS ? { failoverTimeMillis: "10000" } : {};
}

/** The Java daemon with its defaults takes 90 s until its first `initialize`. */
const START_LIMIT_MS = 240_000;
const STOP_PATIENCE_MS = 25_000;

export class DaemonRun {
  readonly notes: Notes;
  readonly program: Program;

  constructor(daemon: Daemon, options: DaemonRunOptions) {
    const folder = join(RUNS, `${uniqueName()}-${daemon.label.replaceAll(/\W+/g, "-")}`);
    const notesFolder = join(folder, "notes");
    mkdirSync(notesFolder, { recursive: true });
    const file = join(folder, "daemon.properties");
    writeFileSync(file, propertiesText({ ...propertiesOf(options), ...daemon.properties }));
    this.notes = new Notes(notesFolder);
    this.program = new Program(daemon.command(file), {
      logFile: join(folder, "log"),
      env: { ...ENVIRONMENT, ...options.env, BENCH_NOTES: notesFolder },
    });
  }

  /** Waits until the processors have made this number of notes of a kind. */
  waitFor<What extends Note["what"]>(what: What, count = 1) {
    return waitFor(`${count} × ${what}, noted by record processors`, START_LIMIT_MS, () => {
      this.notes.poll();
      const found = this.notes.of(what);
      if (found.length >= count) return found;
      this.program.mustRun();
      return undefined;
    });
  }

  /** The daemon and the processes that it started, except its record processors. */
  cpuSeconds(): number {
    return cpuSeconds(this.#pids());
  }

  memory(): Memory {
    return memory(this.#pids());
  }

  /** The daemon's own process, without the shell that guards its children. */
  ownMemory(): Memory {
    return memory([this.program.pid]);
  }

  /** The process ids of the running record processors. */
  processors(): readonly number[] {
    return [...this.notes.pids].filter((pid) => memory([pid]).threads > 0);
  }

  processorsMemory(): Memory {
    return memory([...this.notes.pids]);
  }

  processorsCpuSeconds(): number {
    return cpuSeconds([...this.notes.pids]);
  }

  /** Seconds from the launch to that time. */
  sinceLaunch(atMs: number = preciseNowMs()): number {
    return (atMs - this.program.startedMs) / 1000;
  }

  async stop(): Promise<void> {
    await this.program.stop(STOP_PATIENCE_MS);
    this.notes.close();
  }

  /**
   * A lease that was lost and taken again delivers the same records again, to a new processor. The
   * figures would then describe different work.
   * @throws Error
   */
  noLeaseLost(shards: number): void {
    this.notes.poll();
    const started = this.notes.of("start").length;
    if (started <= shards) return;
    throw new Error(
      `${started} processors were started for ${shards} shards: leases were lost. Give them time: --set failoverTimeMillis=20000`,
    );
  }

  #pids(): readonly number[] {
    this.notes.poll();
    return processTree(this.program.pid, this.notes.pids);
  }
}

function propertiesOf(options: DaemonRunOptions): Record<string, string> {
  const { child, kinesisUrl, dynamoUrl, streamName, applicationName } = options;
  return {
    executableName: child.join(" "),
    streamName,
    applicationName,
    workerId: options.workerId ?? "worker-1",
    regionName: LOCAL_REGION,
    kinesisEndpoint: kinesisUrl,
    dynamoDBEndpoint: dynamoUrl,
    initialPositionInStream: "TRIM_HORIZON",
    retrievalMode: "POLLING",
    metricsLevel: "NONE",
    ...(options.defaultTimers ? {} : SHORT_TIMERS),
    ...options.properties,
  };
}

function propertiesText(properties: Readonly<Record<string, string>>): string {
  return Object.entries(properties)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join("");
}
