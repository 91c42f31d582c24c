// The loop that reads one shard by one subscription after another. It decides when and where to
// subscribe, and what each event, end or error means. It reads an event when there is room for it.
// Until then it does not read from the connection, and the service stops sending.
//
// Limits of Kinesis: a subscription ends after five minutes, which is normal. A second subscription
// of the same consumer to the same shard is refused in the first five seconds of the current one
// (ResourceInUseException). After that it takes over, and the current one ends.

import { isStaleConnection } from "../../aws/errors.ts";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { type Batch, RecordBatch } from "../../model/batch.ts";
import { isSequenceNumber, type Position } from "../../model/position.ts";
import type { InitialPosition } from "../../model/shard.ts";
import type { SubscriptionEvent } from "../../records/getRecordsResponse.ts";
import { type Backoff, backoffMs } from "../../retry.ts";
import { type BatchQueue, MAX_BATCHES } from "../batchQueue.ts";
import type { BudgetWatch } from "../budget/budgetWatch.ts";
import type { ByteShare } from "../budget/byteBudget.ts";
import { ShardNeed } from "../budget/shardNeed.ts";
import type { FailureReports } from "../calls/failureReports.ts";
import type { CallOptions, IteratorPlace } from "../calls/kinesisCalls.ts";
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
import { fixedPlace, startingPlace } from "../shardCursor.ts";
import { WantedRecords } from "../wantedRecords.ts";
import type { RateLimiter } from "./rateLimiter.ts";
import { type ConsumerRegistration, FanoutUnavailable } from "./registration.ts";
import { Subscription } from "./subscription.ts";

/** Shared by the loops of all shards. */
export interface SubscriptionContext extends MisplacedOptions {
  /** For SubscribeToShard only. */
  readonly subscriptionCalls: CallOptions;
  readonly calls: CallOptions;
  readonly stream: StreamId;
  readonly initialPosition: InitialPosition;
  readonly registration: ConsumerRegistration;
  readonly rateLimiter: RateLimiter;
  /**
   * When fan-out is refused before the first event, throw FanoutUnavailable. Otherwise retry until
   * an operator has acted.
   */
  readonly giveUp: boolean;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly reports: FailureReports;
  readonly budgetWatch: BudgetWatch;
}

/** The limit of events in the queue, even of small ones. */
const MOST_EVENTS = 1_000;
/** Kinesis refuses another subscription to the same shard for this time. */
const SAME_SHARD_MS = 5_000;
/** Added to SAME_SHARD_MS, because the service's clock differs from ours. */
const IN_USE: Backoff = { baseMs: 1_000, capMs: 1_000 };
const TROUBLE: Backoff = { baseMs: 400, capMs: 10_000 };
/** For failures that only an operator can correct. */
const LASTING: Backoff = { baseMs: 2_000, capMs: 30_000 };

export class ShardSubscriptions {
  readonly #context: SubscriptionContext;
  readonly #shard: ShardToRead;
  readonly #share: ByteShare;
  readonly #queue: BatchQueue;
  readonly #need = new ShardNeed();
  readonly #wanted: WantedRecords;
  #place: IteratorPlace;
  #received = false;
  #nextMs = Number.NEGATIVE_INFINITY;
  /** Failures in a row. */
  #failures = 0;

  constructor(
    context: SubscriptionContext,
    shard: ShardToRead,
    from: Position,
    share: ByteShare,
    queue: BatchQueue,
  ) {
    this.#context = context;
    this.#shard = shard;

    this.#share = share;
    this.#queue = queue;
    this.#place = startingPlace(from, context.initialPosition, shard.latestSinceMs);
    this.#wanted = new WantedRecords(shard, from, context);
  }

  /**
   * Returns at the end of the shard, or when the signal is aborted.
   *
   * @throws FanoutUnavailable, if the context has `giveUp`.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context;
    while (!signal.aborted) {
      const restMs = this.#nextMs - clock.monotonicMs();
      if (restMs > 0) await clock.sleep(restMs, signal);
      if (!signal.aborted && (await this.#subscribe(signal)) === "shardEnded") return;
    }
  }

  /**
   * Runs one subscription until it ends or fails. Afterwards `#nextMs` is the time of the next one.
   */
  async #subscribe(signal: AbortSignal): Promise<"shardEnded" | "goOn"> {
    const { subscriptionCalls, registration, rateLimiter, clock, emit } = this.#context;
    const { shardId } = this.#shard;
    let subscription: Subscription | undefined;
    try {
      const arn = await registration.arn(signal);
      await rateLimiter.pass(signal);
      signal.throwIfAborted();
      const place = this.#place;
      subscription = await Subscription.open(subscriptionCalls, arn, shardId, place, signal);
      this.#nextMs = clock.monotonicMs() + SAME_SHARD_MS;
      this.#place = fixedPlace(place, clock, subscription.serviceTimeMs);
      emit({ type: "subscribed", shardId });
      return await this.#receive(subscription, signal);
    } catch (error) {
      if (signal.aborted) return "goOn";
      return await this.#failed(error, signal);
    } finally {
      subscription?.close();
    }
  }

  async #receive(subscription: Subscription, signal: AbortSignal): Promise<"shardEnded" | "goOn"> {
    const { calls, stream, reports } = this.#context;
    const { shardId } = this.#shard;
    for (;;) {
      this.#share.needs(this.#need.bytes(this.#queue.workMs, 0));
      await this.#queue.room((waiting) => this.#mayWait(waiting), signal);
      // An event is small compared to the budget. It is counted when its size is known.
      await this.#share.reserve("small", signal);
      signal.throwIfAborted();
      this.#wanted.begin();
      const event = await subscription.next(this.#wanted.disaggregate, signal);
      if (!event) return "goOn";
      const { continuationSequenceNumber: next, childShards } = event;
      const end = await endingOf(
        { nextShardIterator: next, childShards },
        calls,
        stream,
        shardId,
        signal,
      );
      reports.succeeded("SubscribeToShard", shardId);
      const batch = { ...this.#took(event), ...(end && { shardEnd: end }) };
      this.#share.hold(batch.records.memoryBytes);
      this.#queue.put(batch);
      if (end) return "shardEnded";
    }
  }

  /** Events can be so small that MAX_BATCHES of them do not last while the child works. */
  #mayWait(waiting: number): boolean {
    const { heldBytes, grantedBytes } = this.#share;
    return waiting < MAX_BATCHES || (waiting < MOST_EVENTS && heldBytes < grantedBytes);
  }

  #took(event: SubscriptionEvent): Batch {
    const { records, payloadBytes, continuationSequenceNumber: next } = event;
    const { millisBehindLatest } = event;
    const bytes = records.textBytes;
    const atMs = this.#context.clock.monotonicMs();
    const behind = (millisBehindLatest ?? 0) > 0;
    const least = this.#need.leastBytes(this.#queue.workMs, 0);
    const isShort = behind && this.#share.batchBytes() < least;
    this.#context.budgetWatch.received(this.#shard.shardId, isShort);
    this.#need.received({ atMs, bytes, payloadBytes, millisBehindLatest, behind });
    this.#failures = 0;
    this.#received = true;
    if (next !== undefined && isSequenceNumber(next)) {
      this.#place = { type: "AFTER_SEQUENCE_NUMBER", sequenceNumber: next };
    }
    const { shardId } = this.#shard;
    const came = { records: records.count, bytes, payloadBytes, millisBehindLatest };
    this.#context.emit({ type: "fetched", shardId, ...came });
    return { ...this.#wanted.take(records), millisBehindLatest };
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<"shardEnded" | "goOn"> {
    this.#failures += 1;
    const kind = kindOfReadError(error);
    if (error instanceof FanoutUnavailable || kind === "denied") {
      this.#refused(error);
    } else if (error instanceof Error && error.name === "ResourceInUseException") {
      this.#inUse(error);
    } else if (kind === "notFound" || kind === "iteratorGone") {
      return this.#notFound(kind, error, signal);
    } else if (!(isStaleConnection(error) && this.#failures === 1)) {
      this.#retryLater("SubscribeToShard", error, TROUBLE, kind === "unreachable");
    }
    return "goOn";
  }

  #refused(error: unknown): void {
    const refusal =
      error instanceof FanoutUnavailable ? error : new FanoutUnavailable("SubscribeToShard", error);
    if (this.#context.giveUp && !this.#received) throw refusal;
    this.#retryLater("SubscribeToShard", refusal, LASTING, true);
  }

  /** Another subscription is younger than five seconds: usually that of the lease's last worker. */
  #inUse(error: Error): void {
    const waitMs = SAME_SHARD_MS + backoffMs(0, IN_USE);
    if (this.#failures > 1) {
      this.#retryLater("SubscribeToShard", error, TROUBLE, false);
    }
    this.#nextMs = Math.max(this.#nextMs, this.#context.clock.monotonicMs() + waitMs);
  }

  /**
   * Finds out what the service did not find: the shard, the stream, the place in it or the
   * consumer.
   */
  async #notFound(
    kind: ReadErrorKind,
    error: unknown,
    signal: AbortSignal,
  ): Promise<"shardEnded" | "goOn"> {
    const { calls, stream, registration, emit } = this.#context;
    const { shardId } = this.#shard;
    try {
      const shardEnd = await endingOfMissing(calls, stream, shardId, this.#place, error, signal);
      if (shardEnd) {
        emit({ type: "shardExpired", shardId });
        this.#queue.put({ records: RecordBatch.empty, millisBehindLatest: undefined, shardEnd });
        return "shardEnded";
      }
      // The shard is still listed, so the consumer was deregistered.
      if (kind === "notFound") registration.forget();
      this.#retryLater("SubscribeToShard", error, TROUBLE, true);
    } catch (listingError) {
      if (signal.aborted) return "goOn";
      const isPlace = listingError instanceof ForeignPosition;
      const operation = isPlace ? "SubscribeToShard" : "ListShards";
      this.#retryLater(operation, listingError, LASTING, !isPlace);
    }
    return "goOn";
  }

  /** @param everywhere the failure concerns all shards. */
  #retryLater(operation: string, error: unknown, backoff: Backoff, everywhere: boolean): void {
    const { clock, reports } = this.#context;
    const lasting = isLasting(error) ? LASTING : backoff;
    const afterMs = clock.monotonicMs() + backoffMs(this.#failures - 1, lasting);
    this.#nextMs = Math.max(this.#nextMs, afterMs);
    const { shardId } = this.#shard;
    const retryInMs = this.#nextMs - clock.monotonicMs();
    reports.failed({ operation, ...(everywhere ? {} : { shardId }), error, retryInMs });
  }
}
