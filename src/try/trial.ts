// A trial: the real consumer and real children, with leases in memory and records from a file. It
// emits events, as the daemon does.

import type { AttachPoint } from "../child/attach/attach.ts";
import { ChildDialect } from "../child/dialect.ts";
import type { RecordProcessor, StartProcessor } from "../child/recordProcessor.ts";
import { startProcessor } from "../child/startProcessor.ts";
import type { Clock } from "../clock.ts";
import type { DialectName } from "../model/dialect.ts";
import type { CheckpointErrorName } from "../model/errors.ts";
import { type Position, TRIM_HORIZON } from "../model/position.ts";
import { consumeOnce, failingCheckpoints } from "./consumeOnce.ts";
import { MemoryLease } from "./memoryLease.ts";
import { type QueueReading, readQueue } from "./queueReader.ts";
import { ShardQueue } from "./shardQueue.ts";
import { Sharder } from "./shardRecords.ts";
import type { GivenRecord } from "./sources.ts";

export interface TrialOptions extends QueueReading {
  /** The command to start for each shard, or the socket where processors connect, one at a time. */
  readonly processor: readonly [string, ...string[]] | AttachPoint;
  readonly shards: number;
  readonly batchSize: number;
  /** Records per second over all shards; without a limit when absent. */
  readonly rate?: number;
  readonly failCheckpoints: readonly {
    readonly error: CheckpointErrorName;
    readonly times: number;
  }[];
  readonly dialect: DialectName;
  /** How long a child may take to answer; without a limit when absent. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
}

/** The result for one shard. */
export interface ShardOutcome {
  readonly shardId: string;
  readonly stored: Position;
  /** Records that were read but never delivered. */
  readonly left: number;
  /** Why the shard failed. */
  readonly error?: unknown;
}

export interface TrialOutcome {
  readonly shards: readonly ShardOutcome[];
  /** False when the trial ended before all records were read. */
  readonly readAll: boolean;
}

interface TrialShard {
  readonly lease: MemoryLease;
  readonly queue: ShardQueue;
}

const STOP_MS = { closeGraceMs: 5_000, terminateGraceMs: 2_000 } as const;

export class Trial {
  readonly #options: TrialOptions;
  readonly #shards: readonly TrialShard[];
  readonly #processors = new Set<RecordProcessor>();
  readonly #ended = new AbortController();
  readonly #dialect: ChildDialect;
  #readAll = false;

  constructor(options: TrialOptions) {
    this.#options = options;
    this.#dialect = new ChildDialect(options.dialect, "--dialect ");
    this.#shards = Array.from({ length: options.shards }, (_, index) => {
      const shardId = `shardId-${String(index).padStart(12, "0")}`;
      const lease = new MemoryLease(shardId, TRIM_HORIZON);
      return { lease, queue: new ShardQueue(options.batchSize) };
    });
  }

  /**
   * Resolves when every child has ended.
   *
   * @throws the error of the source when the records cannot be read. By then every child has ended.
   */
  async run(records: AsyncGenerator<GivenRecord, void, void>): Promise<TrialOutcome> {
    const consumed = Promise.all(this.#shards.map((shard) => this.#consume(shard)));
    const distributed = this.#distribute(records);
    try {
      await Promise.race([distributed, consumed]);
    } catch (error) {
      this.stop();
      await consumed;
      throw error;
    }
    const shards = await consumed;
    this.#ended.abort();
    // The source may stay open, as STDIN does: the trial does not wait for it.
    distributed.catch(() => {});
    return {
      shards: shards.map((shard, index) => ({
        ...shard,
        left: this.#shards[index]?.queue.left ?? 0,
      })),
      readAll: this.#readAll,
    };
  }

  /** Stops as a worker does: the current batch, shutdownRequested, leaseLost. */
  stop(): void {
    this.#ended.abort();
    for (const { lease } of this.#shards) lease.requestStop();
  }

  /** Stops at once. */
  kill(): void {
    this.stop();
    for (const processor of this.#processors) processor.kill();
  }

  async #distribute(records: AsyncGenerator<GivenRecord, void, void>): Promise<void> {
    const { clock, rate, shards } = this.#options;
    const sharder = new Sharder(shards);
    const startedMs = clock.monotonicMs();
    let count = 0;
    try {
      for await (const given of records) {
        const { shard, json } = sharder.take(given, clock.now());
        await this.#shards[shard]?.queue.put(json);
        count++;
        if (this.#ended.signal.aborted) return;
        if (rate === undefined) continue;
        const dueMs = startedMs + (count * 1000) / rate;
        await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), this.#ended.signal);
      }
      this.#readAll = true;
    } finally {
      for (const { queue } of this.#shards) queue.close();
    }
  }

  async #consume({ lease, queue }: TrialShard): Promise<Omit<ShardOutcome, "left">> {
    const { shardId } = lease;
    const { clock, emit } = this.#options;
    try {
      const startProcessor: StartProcessor = async (...request) => {
        const processor = await this.#start(lease)(...request);
        this.#processors.add(processor);
        return processor;
      };
      await consumeOnce(lease, {
        read: readQueue(lease, queue, this.#options),
        startProcessor,
        clock,
        emit,
      });
      return { shardId, stored: lease.stored };
    } catch (error) {
      return { shardId, stored: lease.stored, error };
    } finally {
      // Records that no child takes must not block the other shards.
      queue.close();
    }
  }

  #start(lease: MemoryLease): StartProcessor {
    const { failCheckpoints, emit } = this.#options;
    const failures = failCheckpoints.flatMap(({ error, times }) =>
      Array.from({ length: times }, () => error),
    );
    return failingCheckpoints(this.#processorsFor(lease), failures, emit);
  }

  #processorsFor(lease: MemoryLease): StartProcessor {
    const { processor, timeoutMs, clock, emit } = this.#options;
    const dialect = this.#dialect;
    if ("processors" in processor) {
      return processor.processors({ over: lease.stopRequested, clock, emit, dialect });
    }
    const [file, ...args] = processor;
    return startProcessor({
      command: { file, args },
      workerId: "try",
      dialect,
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...STOP_MS,
      clock,
      emit,
    });
  }
}
