// Starts record processors: from the settings to a child, and from each call of the port to one action of the talk.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import type { ChildExit } from "./childFailed.ts";
import type { Counterpart } from "./counterpart.ts";
import { groupCpuMs } from "./cpuTime.ts";
import { childEnvironment, type EnvironmentRules } from "./environment.ts";
import { initializeLine, PROTOCOL_VERSION, processRecordsLine, toLine } from "./messages.ts";
import { limitOutput } from "./outputLimit.ts";
import { ChildProcess } from "./process.ts";
import type { RecordProcessor, SignsOfLife, StartProcessor } from "./recordProcessor.ts";
import type { Command } from "./spawn.ts";
import { Talk } from "./talk.ts";
import { Watchdog } from "./watchdog.ts";

export interface ProcessorOptions {
  readonly command: Command;
  readonly workerId: string;
  /** Working directory of the children; that of the daemon when absent. */
  readonly cwd?: string;
  /** Program and arguments as they may be shown to people; as they are when absent. */
  readonly shownArgv?: readonly string[];
  /** What children inherit of the daemon's environment; all when absent. */
  readonly inherit?: EnvironmentRules;
  /** Added to it, like the four KINESIS_MULTILANG_… variables that each child gets. */
  readonly env?: Readonly<Record<string, string>>;
  /** How long to wait for each message of a child that was asked something; for ever when absent. */
  readonly timeoutMs?: number;
  /** How long a child may take to exit after its STDIN was closed. */
  readonly closeGraceMs: number;
  /** How long it may take after SIGTERM, before SIGKILL. */
  readonly terminateGraceMs: number;
  readonly clock: Clock;
  readonly emit: Emit;
}

export function startProcessor(options: ProcessorOptions): StartProcessor {
  const { command, inherit = { passCredentials: true } } = options;
  const watchdog = new Watchdog(options);
  const argv = options.shownArgv ?? [command.file, ...command.args];
  return async (shardId, answerCheckpoint, attempt = 1) => {
    const env = {
      ...childEnvironment(process.env, inherit),
      ...options.env,
      KINESIS_MULTILANG_SHARD_ID: shardId,
      KINESIS_MULTILANG_PROTOCOL_VERSION: String(PROTOCOL_VERSION),
      KINESIS_MULTILANG_WORKER_ID: options.workerId,
      KINESIS_MULTILANG_ATTEMPT: String(attempt),
    };
    const emit = limitOutput(options);
    const own = { ...options, shardId, emit };
    const child = await ChildProcess.start({ ...own, argv, env, watchdog });
    return new SpokenProcessor(child, new Talk(child, { ...own, answerCheckpoint }));
  };
}

/** The port of the record processor, spoken as the protocol. */
export class SpokenProcessor implements RecordProcessor {
  readonly #child: Counterpart;
  readonly #talk: Talk;

  constructor(child: Counterpart, talk: Talk) {
    this.#child = child;
    this.#talk = talk;
  }

  get pid(): number {
    return this.#child.pid;
  }

  get failed(): AbortSignal {
    return this.#talk.failed;
  }

  get exited(): Promise<ChildExit> {
    return this.#child.exited;
  }

  initialize(position: Position): Promise<void> {
    return this.#talk.act("initialize", [initializeLine(this.#child.shardId, position)]);
  }

  async processRecords(
    records: RecordBatch,
    millisBehindLatest: number | undefined,
    written?: () => void,
  ) {
    const line = processRecordsLine(records, millisBehindLatest);
    await this.#talk.act("processRecords", line, { delivers: records.last, written });
  }

  shutdownRequested(): Promise<void> {
    return this.#talk.act("shutdownRequested", [toLine({ action: "shutdownRequested" })]);
  }

  leaseLost(): Promise<void> {
    return this.#talk.act("leaseLost", [toLine({ action: "leaseLost" })]);
  }

  shardEnded(): Promise<void> {
    return this.#talk.act("shardEnded", [toLine({ action: "shardEnded" })]);
  }

  async signsOfLife(): Promise<SignsOfLife> {
    const { writtenBytes, pid } = this.#child;
    const waitsForUs = this.#talk.isAnswering;
    const cpuMs = pid === 0 ? undefined : await groupCpuMs(pid);
    return { writtenBytes, waitsForUs, cpuMs };
  }

  giveUp(what: string): void {
    this.#talk.giveUp(what);
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }

  kill(): void {
    this.#child.kill();
  }
}
