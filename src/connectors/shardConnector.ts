// The record processor of one shard: it fills the buffer, emits one batch while it reads the next,
// and stores how far the target has everything.
//
// The position may only be stored while the daemon waits for an answer. So a batch that is emitted
// between two actions is stored with the next one; the daemon sends empty lists for that.

import { CheckpointError, type Checkpointer, type Log as ClientLog } from "#client";
import type { Clock } from "../clock.ts";
import { type Batch, type BufferLimits, type Place, RecordBuffer } from "./buffer.ts";
import type { Delivery } from "./deliver.ts";
import type { Emitter, Item, SourceRecord } from "./pipeline.ts";
import { prepare, type Steps } from "./prepare.ts";

export interface ConnectorParts<U extends Item> extends Steps<U> {
  readonly emitter: Emitter<U>;
  readonly delivery: Delivery<U>;
  readonly limits: BufferLimits;
  readonly clock: Clock;
}

/** How long a stop waits for the target. The daemon waits 10 s (`shutdownGraceMillis`). */
const STOP_LIMIT_MS = 7_000;
/** While one action emits several batches, positions are stored this often. */
const STORE_INTERVAL_MS = 1_000;

type Received = Omit<SourceRecord, "shardId">;

interface Turn {
  readonly checkpointer: Checkpointer;
  readonly log: ClientLog;
}

export class ShardConnector<U extends Item> {
  readonly #parts: ConnectorParts<U>;
  readonly #shardId: string;
  readonly #buffer: RecordBuffer<U>;
  readonly #over = new AbortController();
  #inFlight: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #timer = new AbortController();
  /** Everything up to here is stored, buried or filtered out. */
  #safe: Place | undefined;
  #stored: Place | undefined;
  #storedMs = Number.NEGATIVE_INFINITY;
  /** The next batch waits until the position of the last one is stored. */
  #mustStore = false;
  #isClosed = false;

  constructor(shardId: string, parts: ConnectorParts<U>) {
    this.#shardId = shardId;
    this.#parts = parts;
    this.#buffer = new RecordBuffer(parts.limits);
  }

  async processRecords(records: readonly Received[], turn: Turn): Promise<void> {
    this.#throwFailure();
    await this.#store(turn);
    for (const { data, partitionKey, sequenceNumber, subSequenceNumber, ...rest } of records) {
      const { approximateArrivalTimestamp } = rest;
      const record: SourceRecord = {
        shardId: this.#shardId,
        sequenceNumber,
        subSequenceNumber,
        partitionKey,
        approximateArrivalTimestamp,
        data,
      };
      const prepared = prepare(record, this.#parts);
      while (!this.#buffer.fits(prepared) && this.#isIntact) await this.#emitFull(turn);
      if (!this.#isIntact) break;
      this.#buffer.add(prepared, this.#parts.clock.monotonicMs());
      if (this.#buffer.isFull && !this.#inFlight) await this.#emitFull(turn);
    }
    this.#throwFailure();
    await this.#store(turn);
    this.#arm();
  }

  /** All records were delivered: emits the rest however long it takes, then ends the shard. */
  async shardEnded(turn: Turn): Promise<void> {
    await this.#drain(turn);
    if (!this.#over.signal.aborted) await this.#endShard(turn.checkpointer);
    await this.#close();
  }

  /** Emits the rest if the target takes it soon; what is not stored is delivered again. */
  async shutdownRequested(turn: Turn): Promise<void> {
    const { clock } = this.#parts;
    const done = new AbortController();
    const limit = clock.sleep(STOP_LIMIT_MS, done.signal).then(() => this.#over.abort());
    await this.#drain(turn);
    if (!this.#over.signal.aborted) await this.#store(turn);
    done.abort();
    await limit;
    await this.#close();
  }

  async leaseLost(): Promise<void> {
    await this.#close();
  }

  async #drain(turn: Turn): Promise<void> {
    while (!this.#over.signal.aborted && (this.#inFlight || !this.#buffer.isEmpty)) {
      await this.#inFlight;
      this.#throwFailure();
      if (this.#buffer.isEmpty) continue;
      if (this.#mustStore) await this.#store(turn);
      if (!this.#mustStore) this.#start(this.#buffer.take());
    }
  }

  async #endShard(checkpointer: Checkpointer): Promise<void> {
    try {
      await checkpointer.checkpoint();
    } catch (error) {
      if (!isLeaseLost(error)) throw error;
    }
  }

  /** Makes room: waits for the batch in flight, and emits what is buffered. */
  async #emitFull(turn: Turn): Promise<void> {
    await this.#inFlight;
    this.#throwFailure();
    if (this.#over.signal.aborted) return;
    const sinceMs = this.#parts.clock.monotonicMs() - this.#storedMs;
    if (this.#mustStore || sinceMs >= STORE_INTERVAL_MS) await this.#store(turn);
    // The timer may have emitted it meanwhile.
    if (!this.#mustStore) this.#start(this.#buffer.take());
  }

  #start(batch: Batch<U> | undefined): void {
    if (!batch || !this.#isIntact) return;
    this.#timer.abort();
    const { delivery, emitter } = this.#parts;
    const emitted = async () => {
      try {
        if (!(await delivery.deliver(batch, this.#over.signal))) return;
        this.#safe = batch.through;
        this.#mustStore = emitter.needsStoredPosition === true;
      } catch (error) {
        this.#failure = { error };
      } finally {
        this.#inFlight = undefined;
        this.#arm();
      }
    };
    this.#inFlight = emitted();
  }

  /** Emits the buffer when its time has come, unless a batch is in flight. */
  #arm(): void {
    this.#timer.abort();
    if (this.#inFlight || this.#mustStore || !this.#isIntact) return;
    const { clock } = this.#parts;
    const ms = this.#buffer.dueInMs(clock.monotonicMs());
    if (ms === undefined) return;
    if (this.#buffer.isFull) {
      this.#start(this.#buffer.take());
      return;
    }
    const timer = new AbortController();
    this.#timer = timer;
    void clock.sleep(ms, timer.signal).then(() => {
      if (!timer.signal.aborted && !this.#inFlight) this.#start(this.#buffer.take());
    });
  }

  /** Stores how far everything is safe, if that is news. */
  async #store({ checkpointer, log }: Turn): Promise<void> {
    if (!this.#isIntact) return;
    if (this.#buffer.isEmpty && !this.#inFlight) this.#safe = this.#buffer.through ?? this.#safe;
    const place = this.#safe;
    if (!place || samePlace(place, this.#stored)) return;
    try {
      await checkpointer.checkpoint(place);
      this.#stored = place;
      this.#storedMs = this.#parts.clock.monotonicMs();
      this.#mustStore = false;
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      // Another worker has the shard, and `leaseLost` follows.
      if (isLeaseLost(error)) this.#over.abort();
      else await log("warn", `the position is not stored (${error.value}); the next list retries`);
    }
  }

  /** False: a batch that left the buffer may never be emitted in this life. */
  get #isIntact(): boolean {
    return !this.#failure && !this.#over.signal.aborted;
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }

  async #close(): Promise<void> {
    const isFirst = !this.#isClosed;
    this.#isClosed = true;
    this.#over.abort();
    this.#timer.abort();
    await this.#inFlight;
    if (isFirst) await this.#parts.emitter.close();
  }
}

function isLeaseLost(error: unknown): boolean {
  return error instanceof CheckpointError && error.value === "ShutdownException";
}

function samePlace(a: Place, b: Place | undefined): boolean {
  return a.sequenceNumber === b?.sequenceNumber && a.subSequenceNumber === b.subSequenceNumber;
}
