// The loop that fetches one shard by GetRecords: it decides when to call, how much to ask for, and
// what each response or error means.

import { isStaleConnection } from "../../aws/errors.ts";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { type Batch, RecordBatch } from "../../model/batch.ts";
import { isSentinel, type Position } from "../../model/position.ts";
import type { InitialPosition } from "../../model/shard.ts";
import type { GetRecordsResponse } from "../../records/getRecordsResponse.ts";
import { type Disaggregate, disaggregator } from "../../records/kpl/disaggregate.ts";
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
import { Misplaced, type MisplacedOptions } from "../misplaced.ts";
import type { ShardToRead } from "../reader.ts";
import { reportIfExpired, ShardCursor } from "../shardCursor.ts";
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
  readonly #from: Position;
  readonly #share: ByteShare;
  readonly #queue: BatchQueue;
  readonly #cursor: ShardCursor;
  readonly #getRecords: GetRecords;
  readonly #pace: Pace;
  readonly #need = new ShardNeed();
  readonly #disaggregate: Disaggregate;
  readonly #misplaced: Misplaced;
  /** The first record may be the one at the position, or the aggregate that contains it. */
  #dropping: boolean;
  #behind: boolean;
  /** The most that the next response should hold. */
  #batchBytes = 0;
  /** The average in the last response that had records; `undefined` before the first. */
  #recordBytes: number | undefined;
  #nextCallMs = Number.NEGATIVE_INFINITY;
  /** In a row. */
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
    this.#from = from;
    this.#share = share;
    this.#queue = queue;
    const { shardId, latestSinceMs } = shard;
    this.#cursor = new ShardCursor(calls, stream, shardId, from, initialPosition, latestSinceMs);
    this.#getRecords = new GetRecords(calls, shard.shardId);
    this.#pace = new Pace(settings);
    const { aggregateHashRangeCheck, keepsMisplaced, emit } = context;
    this.#misplaced = new Misplaced(shard.shardId, keepsMisplaced, emit);
    this.#disaggregate = disaggregator(
      aggregateHashRangeCheck === "drop" ? shard.hashKeyRange : undefined,
      (fault) => emit({ type: "aggregateMalformed", shardId: shard.shardId, ...fault }),
      (records) => this.#misplaced.add(records),
    );
    this.#dropping = !isSentinel(from.sequenceNumber);
    this.#behind = !this.#cursor.startsAtTip;
  }

  /** Returns at the end of the shard, or when the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // At the tip nothing is fetched while a batch waits for the child: one call later is enough.
      await this.#queue.room((waiting) => waiting < (this.#behind ? MAX_BATCHES : 1), signal);
      const due = { dueMs: this.#nextCallMs, slackMs: this.#pace.slackMs };
      await this.#context.waitingRoom.wait(due, signal);
      this.#share.needs(this.#need.bytes(this.#queue.workMs, this.#pace.idleMs));
      // At the tip a response is small, so it is counted only when it is there.
      const need = this.#behind ? (this.#expectedBytes ?? "unknown") : "small";
      const reserved = await this.#share.reserve(need, signal);
      if (signal.aborted) return;
      this.#batchBytes = reserved || this.#share.batchBytes();
      const batch = await this.#fetch(signal);
      this.#share.hold((batch?.records.json.length ?? 0) - reserved);
      if (batch) this.#queue.put(batch);
      if (batch?.shardEnd) return;
    }
  }

  /** One call. Returns `undefined` when it failed; then `#nextCallMs` is the time of the retry. */
  async #fetch(signal: AbortSignal): Promise<Batch | undefined> {
    const { calls, clock, stream, reports } = this.#context;
    const { shardId } = this.#shard;
    let operation = "GetShardIterator";
    try {
      const iterator = await this.#cursor.iterator(signal);
      operation = "GetRecords";
      const startedMs = clock.monotonicMs();
      const { limit, isCautious } = this.#ask();
      this.#misplaced.begin();
      const answer = await this.#getRecords.call(iterator, limit, this.#disaggregate, signal);
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
    const bytes = records.json.length;
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
    emit({ type: "fetched", shardId, records: records.count, bytes, millisBehindLatest });
    const from = this.#dropping ? this.#from : undefined;
    const wanted = this.#wanted(records);
    return { records: wanted, millisBehindLatest, ...this.#misplaced.take(from) };
  }

  /** Reading starts at the position and not after it, because it may be inside an aggregate. */
  #wanted(records: RecordBatch): RecordBatch {
    const isThere = this.#misplaced.holds(this.#from);
    if (!this.#dropping || (records.count === 0 && !isThere)) return records;
    this.#dropping = false;
    if (!isThere) reportIfExpired(this.#shard.shardId, this.#from, records, this.#context.emit);
    return records.after(this.#from);
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

  /** "Not found" may mean the shard, the stream, or the position: the listing of shards decides. */
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

  /** As many records as this shard may hold. At the tip there are few, so no caution is needed. */
  #ask(): Ask {
    const { sizes, settings } = this.#context;
    const most = Math.min(settings.maxRecords, MAX_RECORDS);
    const recordBytes = this.#expectedBytes;
    if (this.#behind) return sizes.ask(recordBytes, this.#batchBytes, most);
    const fitting = recordBytes === undefined ? most : Math.floor(this.#batchBytes / recordBytes);
    return { limit: Math.max(1, Math.min(fitting, most)), isCautious: false };
  }
}
