// The loop that fetches one shard by GetRecords: it decides when to call, how much to ask for, and
// what each response or error means.

import { isStaleConnection } from "../../aws/errors.ts";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { type Batch, RecordBatch } from "../../model/batch.ts";
import type { Position } from "../../model/position.ts";
import type { InitialPosition } from "../../model/shard.ts";
import type { GetRecordsResponse } from "../../records/getRecordsResponse.ts";
import { type BatchQueue, MAX_BATCHES } from "../batchQueue.ts";
import type { BudgetWatch } from "../budget/budgetWatch.ts";
import type { ByteShare } from "../budget/byteBudget.ts";
import { ShardNeed } from "../budget/shardNeed.ts";
import type { FailureReports } from "../calls/failureReports.ts";
import { type CallOptions, GetRecords } from "../calls/kinesisCalls.ts";
import {
  ForeignPosition,
  isLasting,
  kindOfReadError,
  type ReadErrorKind,
} from "../calls/readErrors.ts";
import type { StreamId } from "../calls/streamId.ts";
import { endingOf, endingOfMissing } from "../listing/shardEnding.ts";
import type { MisplacedOptions } from "../misplaced.ts";
import type { ShardToRead } from "../reader.ts";
import { ShardCursor } from "../shardCursor.ts";
import { WantedRecords } from "../wantedRecords.ts";
import type { HotShards } from "./hotShards.ts";
import { type CallFacts, Pace, type PollingSettings } from "./pollingPace.ts";
import type { Ask, RecordSizes } from "./recordSizes.ts";
import type { WaitingRoom } from "./waitingRoom.ts";

/** Shared by the loops of all shards. */
export interface FetchContext extends MisplacedOptions {
  readonly calls: CallOptions;
  readonly stream: StreamId;
  readonly initialPosition: InitialPosition;
  readonly settings: PollingSettings;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly reports: FailureReports;
  readonly waitingRoom: WaitingRoom;
  readonly sizes: RecordSizes;
  readonly hotShards: HotShards;
  readonly budgetWatch: BudgetWatch;
}

/** A limit of the service. */
const MAX_RECORDS = 10_000;

export class ShardFetch {
  readonly #context: FetchContext;
  readonly #shard: ShardToRead;
  readonly #share: ByteShare;
  readonly #queue: BatchQueue;
  readonly #cursor: ShardCursor;
  readonly #getRecords: GetRecords;
  readonly #pace: Pace;
  readonly #need = new ShardNeed();
  readonly #wanted: WantedRecords;
  #behind: boolean;
  /** The largest size that the next response should have. */
  #batchBytes = 0;
  /** The average size in the last response that had records; `undefined` before the first. */
  #recordBytes: number | undefined;
  #nextCallMs = Number.NEGATIVE_INFINITY;
  /** Failures in a row. */
  #failures = 0;

  constructor(
    context: FetchContext,
    shard: ShardToRead,
    from: Position,
    share: ByteShare,
    queue: BatchQueue,
  ) {
    const { calls, stream, initialPosition, settings } = context;
    this.#context = context;
    this.#shard = shard;

    this.#share = share;
    this.#queue = queue;
    const { shardId, latestSinceMs } = shard;
    this.#cursor = new ShardCursor(calls, stream, shardId, from, initialPosition, latestSinceMs);
    this.#getRecords = new GetRecords(calls, shard.shardId);
    this.#pace = new Pace(settings);
    this.#wanted = new WantedRecords(shard, from, context);
    this.#behind = !this.#cursor.startsAtTip;
  }

  /** Returns at the end of the shard, or when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // At the tip nothing is fetched while a batch waits for the child: one call afterwards
      // fetches everything that arrives meanwhile.
      await this.#queue.room((waiting) => waiting < (this.#behind ? MAX_BATCHES : 1), signal);
      const due = { dueMs: this.#nextCallMs, slackMs: this.#pace.slackMs };
      await this.#context.waitingRoom.wait(due, signal);
      this.#share.needs(this.#need.bytes(this.#queue.workMs, this.#pace.idleMs));
      // At the tip a response is small, so it is counted only when it has arrived.
      const need = this.#behind ? (this.#expectedBytes ?? "unknown") : "small";
      const reserved = await this.#share.reserve(need, signal);
      if (signal.aborted) return;
      this.#batchBytes = reserved || this.#share.batchBytes();
      const batch = await this.#fetch(signal);
      this.#share.hold((batch?.records.memoryBytes ?? 0) - reserved);
      if (batch) this.#queue.put(batch);
      if (batch?.shardEnd) return;
    }
  }

  /** Makes one call. Returns `undefined` if it fails; the retry is then due at `#nextCallMs`. */
  async #fetch(signal: AbortSignal): Promise<Batch | undefined> {
    const { calls, clock, stream, reports } = this.#context;
    const { shardId } = this.#shard;
    let operation = "GetShardIterator";
    try {
      const iterator = await this.#cursor.iterator(signal);
      operation = "GetRecords";
      const startedMs = clock.monotonicMs();
      const { limit, isCautious } = this.#ask();
      this.#wanted.begin();
      const { disaggregate } = this.#wanted;
      const answer = await this.#getRecords.call(iterator, limit, disaggregate, signal);
      const endedMs = clock.monotonicMs();
      const shardEnd = await endingOf(answer, calls, stream, shardId, signal);
      reports.succeeded(operation, shardId);
      const how = { startedMs, endedMs, isCautious };
      return { ...this.#took(answer, limit, how), ...(shardEnd && { shardEnd }) };
    } catch (error) {
      if (signal.aborted) return undefined;
      return await this.#failed(operation, error, signal);
    }
  }

  #took(
    answer: GetRecordsResponse,
    limit: number,
    how: Pick<CallFacts, "startedMs" | "endedMs" | "isCautious">,
  ): Batch {
    const { records, received, payloadBytes, lastSequenceNumber, nextShardIterator } = answer;
    const { millisBehindLatest } = answer;
    const bytes = records.textBytes;
    this.#failures = 0;
    this.#behind = (millisBehindLatest ?? 0) > 0 || received >= limit;
    this.#cursor.advance(lastSequenceNumber, nextShardIterator);
    const { shardId } = this.#shard;
    const { budgetWatch, hotShards, sizes, emit } = this.#context;
    const least = this.#need.leastBytes(this.#queue.workMs, this.#pace.idleMs);
    const isShort = this.#behind && received >= limit && this.#share.batchBytes() < least;
    budgetWatch.received(shardId, isShort);
    const look = { atMs: how.endedMs, bytes, payloadBytes, millisBehindLatest };
    this.#need.received({ ...look, behind: this.#behind });
    this.#nextCallMs = this.#pace.nextMs({
      ...how,
      bytes,
      payloadBytes,
      records: received,
      millisBehindLatest,
      hotShards: hotShards.measured(shardId, this.#need.bytesPerMs),
    });
    if (received > 0) this.#recordBytes = sizes.saw(received, bytes);
    const { count } = records;
    emit({ type: "fetched", shardId, records: count, bytes, payloadBytes, millisBehindLatest });
    return { ...this.#wanted.take(records), millisBehindLatest };
  }

  /** Decides what an error means and when to retry. Returns the last batch if the shard is gone. */
  async #failed(
    operation: string,
    error: unknown,
    signal: AbortSignal,
  ): Promise<Batch | undefined> {
    this.#failures += 1;
    const kind = kindOfReadError(error);
    if (kind === "iteratorGone" && this.#cursor.hasIterator) {
      this.#cursor.dropIterator();
      this.#context.emit({ type: "iteratorExpired", shardId: this.#shard.shardId });
      if (this.#failures === 1) return undefined;
    }
    if (isStaleConnection(error) && this.#failures === 1) return undefined;
    if (kind === "notFound" || (kind === "iteratorGone" && operation === "GetShardIterator")) {
      return this.#refused(operation, error, signal);
    }
    this.#retryLater(operation, error, kind);
    return undefined;
  }

  /** Finds out, by a list of the shards, what was not found: shard, stream or position. */
  async #refused(
    operation: string,
    error: unknown,
    signal: AbortSignal,
  ): Promise<Batch | undefined> {
    const { calls, stream, emit } = this.#context;
    const { shardId } = this.#shard;
    try {
      const { place } = this.#cursor;
      const shardEnd = await endingOfMissing(calls, stream, shardId, place, error, signal);
      if (shardEnd) {
        emit({ type: "shardExpired", shardId });
        return { records: RecordBatch.empty, millisBehindLatest: undefined, shardEnd };
      }
      // The shard is still listed, so the iterator must be the cause.
      this.#cursor.dropIterator();
      this.#retryLater(operation, error, "other");
    } catch (listingError) {
      if (!signal.aborted) {
        const failed = listingError instanceof ForeignPosition ? operation : "ListShards";
        this.#retryLater(failed, listingError, kindOfReadError(listingError));
      }
    }
    return undefined;
  }

  #retryLater(operation: string, error: unknown, kind: ReadErrorKind): void {
    const { clock, reports } = this.#context;
    const lasting = isLasting(error);
    const nowMs = clock.monotonicMs();
    const retryInMs =
      kind === "throttled" ? this.#pace.throttledMs(nowMs) : this.#pace.failedMs(lasting);
    this.#nextCallMs = nowMs + retryInMs;
    const { shardId } = this.#shard;
    const ofShard = error instanceof ForeignPosition;
    const everywhere = (lasting && !ofShard) || kind === "unreachable";
    reports.failed({ operation, ...(everywhere ? {} : { shardId }), error, retryInMs });
  }

  /** The size of a record in the last response of this shard, or else in those of other shards. */
  get #expectedBytes(): number | undefined {
    return this.#recordBytes ?? this.#context.sizes.largestBytes;
  }

  /**
   * The limit of records for the next call, so that the response fits into `#batchBytes`. At the
   * tip a response has few records, so no caution is needed.
   */
  #ask(): Ask {
    const { sizes, settings } = this.#context;
    const most = Math.min(settings.maxRecords, MAX_RECORDS);
    const recordBytes = this.#expectedBytes;
    if (this.#behind) return sizes.ask(recordBytes, this.#batchBytes, most);
    const fitting = recordBytes === undefined ? most : Math.floor(this.#batchBytes / recordBytes);
    return { limit: Math.max(1, Math.min(fitting, most)), isCautious: false };
  }
}
