// Starts record processors: turns settings into a child process, and each call of the port into one
// action of the protocol.

import type { Clock } from "../clock.ts";
import { type Emit, ofLane } from "../events.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import { parseStreamShard, plainShardId } from "../model/shardKey.ts";
import type { ChildExit } from "./childFailed.ts";
import type { Counterpart } from "./counterpart.ts";
import { ChildDialect, type Ending } from "./dialect.ts";
import { initializeLine, PROTOCOL_VERSION, processRecordsLine, toLine } from "./messages.ts";
import { ChildProcess } from "./process/childProcess.ts";
import { groupCpuMs } from "./process/cpuTime.ts";
import { childEnvironment, type EnvironmentRules } from "./process/environment.ts";
import { limitOutput } from "./process/outputLimit.ts";
import type { Command } from "./process/spawn.ts";
import { Watchdog } from "./process/watchdog.ts";
import type { Activity, RecordProcessor, StartProcessor } from "./recordProcessor.ts";
import { Session } from "./session.ts";

export interface ProcessorOptions {
  readonly command: Command;
  readonly workerId: string;
  /** Of the application's only stream; the ids of shards name one of several streams. */
  readonly streamName?: string;
  /** Working directory of the children; that of the daemon when absent. */
  readonly cwd?: string;
  /** Program and arguments for logs and errors, with secrets masked; the real ones when absent. */
  readonly shownArgv?: readonly string[];
  /** What children inherit of the daemon's environment; everything when absent. */
  readonly inherit?: EnvironmentRules;
  /** Added to the environment, beside the KINESIS_MULTILANG_… variables of each child. */
  readonly env?: Readonly<Record<string, string>>;
  /** The dialect of the application's children; KCL 2.x when absent. */
  readonly dialect?: ChildDialect;
  /**
   * Longest wait for each message of a child that has an action to answer; no limit when absent.
   */
  readonly timeoutMs?: number;
  /** How long a child may take to exit after its STDIN was closed, in milliseconds. */
  readonly closeGraceMs: number;
  /** How long it may take to exit after SIGTERM, before SIGKILL, in milliseconds. */
  readonly terminateGraceMs: number;
  /** Ends the children if this process is killed; one of its own when absent. */
  readonly watchdog?: Watchdog;
  readonly clock: Clock;
  readonly emit: Emit;
}

export function startProcessor(options: ProcessorOptions): StartProcessor {
  const { command, inherit = { passCredentials: true } } = options;
  const { dialect = new ChildDialect("kcl2") } = options;
  const watchdog = options.watchdog ?? new Watchdog(options);
  const argv = options.shownArgv ?? [command.file, ...command.args];
  return async (shardId, answerCheckpoint, attempt = 1, lane) => {
    const { shardId: plainId, streamName } = parseStreamShard(shardId) ?? { ...options, shardId };
    const env = {
      ...childEnvironment(process.env, inherit),
      ...options.env,
      KINESIS_MULTILANG_SHARD_ID: plainId,
      ...(streamName !== undefined && { KINESIS_MULTILANG_STREAM_NAME: streamName }),
      KINESIS_MULTILANG_PROTOCOL_VERSION: String(PROTOCOL_VERSION),
      KINESIS_MULTILANG_WORKER_ID: options.workerId,
      KINESIS_MULTILANG_ATTEMPT: String(attempt),
      ...(lane !== undefined && { KINESIS_MULTILANG_LANE: String(lane) }),
    };
    const emit = limitOutput({ emit: ofLane(options.emit, lane), clock: options.clock });
    const own = { ...options, shardId, emit };
    const child = await ChildProcess.start({ ...own, argv, env, watchdog });
    const session = new Session(child, { ...own, answerCheckpoint, dialect });
    return new ProtocolProcessor(child, session, dialect);
  };
}

/** A record processor behind the protocol. */
export class ProtocolProcessor implements RecordProcessor {
  readonly #child: Counterpart;
  readonly #session: Session;
  readonly #dialect: ChildDialect;

  constructor(child: Counterpart, session: Session, dialect: ChildDialect) {
    this.#child = child;
    this.#session = session;
    this.#dialect = dialect;
  }

  get pid(): number {
    return this.#child.pid;
  }

  get failed(): AbortSignal {
    return this.#session.failed;
  }

  get exited(): Promise<ChildExit> {
    return this.#child.exited;
  }

  initialize(position: Position): Promise<void> {
    return this.#session.act("initialize", [
      initializeLine(plainShardId(this.#child.shardId), position),
    ]);
  }

  async processRecords(
    records: RecordBatch,
    millisBehindLatest: number | undefined,
    written?: () => void,
  ) {
    const line = processRecordsLine(records, millisBehindLatest);
    await this.#session.act("processRecords", line, { delivers: records.last, written });
  }

  async shutdownRequested(): Promise<void> {
    const message = await this.#end("shutdownRequested");
    this.#dialect.understood(message);
  }

  async leaseLost(): Promise<void> {
    const message = await this.#end("leaseLost");
    this.#dialect.understood(message);
  }

  /** The status alone does not show that the child understood the message: it has to checkpoint. */
  shardEnded(): Promise<string> {
    return this.#end("shardEnded");
  }

  async activity(): Promise<Activity> {
    const { writtenBytes, pid } = this.#child;
    const waitsForDaemon = this.#session.isAnswering;
    const cpuMs = pid === 0 ? undefined : await groupCpuMs(pid);
    return { writtenBytes, waitsForDaemon, cpuMs };
  }

  giveUp(what: string): void {
    this.#session.giveUp(what);
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }

  kill(): void {
    this.#child.kill();
  }

  /** @returns the name of the message; empty when the dialect has no message for the ending. */
  async #end(ending: Ending): Promise<string> {
    const message = this.#dialect.current[ending];
    if (!message) return "";
    await this.#session.act(ending, [toLine(message)], { message: message.action });
    return message.action;
  }
}
