// What a response of PutRecords means for each envelope: it is stored, or goes back to its lane, or
// its records fail. It owns the pause after a failed call, and the envelopes that were stored in a
// shard that nobody knows yet.

import { hashKeyOf, hashWords } from "../records/kpl/hashKey.ts";
import { type Backoff, backoffMs } from "../retry.ts";
import { type Failure, failureOfCall, failureOfRecord } from "./failures.ts";
import type { Lanes } from "./lanes.ts";
import type { MapKeeper } from "./mapKeeper.ts";
import type { StreamProducerParts } from "./parts.ts";
import { attemptsOf, type Envelope, type EnvelopeAttempt, type Pending } from "./record.ts";
import { Repeats } from "./repeats.ts";
import type { ShardMap } from "./shardMap.ts";
import type { PutAnswer } from "./streamCalls.ts";

interface Times {
  readonly startedMs: number;
  readonly endedMs: number;
}

interface StoredAt {
  readonly shardId: string;
  readonly sequenceNumber: string;
}

/** Stored, but whether a consumer receives it is decided by the next shard map. */
interface Unplaced extends StoredAt {
  readonly envelope: Envelope;
  readonly times: Times;
}

/** After a call that failed as a whole: all lanes wait. */
const CALL_FAILED: Backoff = { baseMs: 200, capMs: 5_000 };
/** An operator has to act, which takes minutes. */
const REFUSED: Backoff = { baseMs: 1_000, capMs: 30_000 };
/** From this many failures in a row on, the shard map may be the reason. */
const DOUBT_THE_MAP_AFTER = 3;
const ALONE = { maxBytes: 0, maxCount: 1 };

const words = new Uint32Array(4);

export class Responses {
  readonly #parts: StreamProducerParts;
  readonly #lanes: Lanes;
  readonly #keeper: MapKeeper;
  #unplaced: Unplaced[] = [];
  readonly #repeats = new Repeats();
  #failuresInARow = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(parts: StreamProducerParts, lanes: Lanes, keeper: MapKeeper) {
    this.#parts = parts;
    this.#lanes = lanes;
    this.#keeper = keeper;
  }

  /** No call begins before. */
  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  answered(envelopes: readonly Envelope[], answers: readonly PutAnswer[], times: Times): void {
    this.#failuresInARow = 0;
    this.#parts.measures.call(envelopes, answers, times);
    const refused = new Map<string, { failure: Failure; envelopes: Envelope[] }>();
    envelopes.forEach((envelope, index) => {
      const answer = answers[index] ?? { errorCode: "InternalFailure", errorMessage: "" };
      if ("sequenceNumber" in answer) {
        this.#stored({ envelope, times, ...answer });
        return;
      }
      const failure = failureOfRecord(answer.errorCode, answer.errorMessage);
      const alike = `${failure.errorCode} ${envelope.shardId}`;
      const group = refused.get(alike) ?? { failure, envelopes: [] };
      group.envelopes.push(envelope);
      refused.set(alike, group);
    });
    for (const group of refused.values()) this.#refused(group.envelopes, group.failure, times);
  }

  /**
   * A call that failed as a whole.
   *
   * @returns the calls to make in its place: the service cannot accept one of its records, and the
   *   halves show which.
   */
  failed(
    envelopes: readonly Envelope[],
    error: unknown,
    times: Times,
  ): readonly (readonly Envelope[])[] {
    const failure = failureOfCall(error);
    this.#parts.measures.failedCall(failure.errorCode, times);
    if (failure.kind === "invalid" && envelopes.length > 1) {
      const middle = envelopes.length >> 1;
      return [envelopes.slice(0, middle), envelopes.slice(middle)];
    }
    this.#refused(envelopes, failure, times);
    if (failure.kind !== "permanent") this.#pause(CALL_FAILED, times.endedMs);
    return [];
  }

  /** The shards are known anew: decides about what was stored in unknown ones. */
  mapLoaded(map: ShardMap, askedMs: number): void {
    const unplaced = this.#unplaced;
    this.#unplaced = [];
    for (const stored of unplaced) {
      if (map.knows(stored.shardId) || stored.times.endedMs <= askedMs) this.#place(stored, map);
      else this.#wait(stored);
    }
  }

  /** Fails the records of a waiting envelope that came before, and puts the others back. */
  expired(envelope: Envelope, arrivedMs: number, nowMs: number): void {
    const message = "The record was not stored before its recordTtl passed.";
    const attempt = {
      startedMs: nowMs,
      endedMs: nowMs,
      errorCode: "Expired",
      errorMessage: message,
    };
    const isOld = (record: Pending) => record.arrivedMs < arrivedMs;
    for (const record of envelope.records.filter(isOld)) {
      const attempts = attemptsOf(record, [...envelope.attempts, attempt]);
      record.settle({ errorCode: "Expired", message, attempts });
    }
    const records = envelope.records.filter((record) => !isOld(record));
    this.#parts.measures.failed(envelope.records.length - records.length, "Expired");
    this.#lanes.remakeAll([{ ...envelope, records }]);
  }

  #stored(stored: Unplaced): void {
    const { envelope, shardId } = stored;
    this.#lanes.laneOfShard(shardId)?.limiter.stored();
    if (shardId === envelope.shardId) {
      this.#settle(stored);
      return;
    }
    const isOpen = this.#keeper.map?.shardIds.includes(shardId) ?? false;
    if (!isOpen && envelope.shardId !== undefined) this.#keeper.refresh();
    // The service has chosen the shard by the hash key of the first record.
    if (envelope.records.length === 1) this.#settle(stored);
    else if (this.#keeper.map?.knows(shardId)) this.#place(stored, this.#keeper.map);
    else this.#wait(stored);
  }

  /** Its keys stay in flight, so that nothing passes it. */
  #wait(stored: Unplaced): void {
    this.#unplaced.push(stored);
    this.#keeper.refresh();
  }

  #place(stored: Unplaced, map: ShardMap): void {
    const { envelope, shardId, times } = stored;
    if (envelope.records.every((record) => map.holds(shardId, hashKeyOfRecord(record)))) {
      this.#settle(stored);
      return;
    }
    const { emit, streamName } = this.#parts;
    const { shardId: predicted = "none", records } = envelope;
    emit({
      type: "aggregateStraddles",
      streamName,
      predicted,
      actual: shardId,
      records: records.length,
    });
    const errorMessage = `stored in ${shardId}, which does not hold all records of the aggregate`;
    envelope.attempts.push({ ...times, errorCode: "Wrong Shard", errorMessage, maybeStored: true });
    this.#lanes.inFlight.remove(envelope);
    this.#lanes.remakeAll([envelope]);
  }

  #settle({ envelope, shardId, sequenceNumber, times }: Unplaced): void {
    const { startedMs, endedMs } = times;
    const all: EnvelopeAttempt[] = [...envelope.attempts, { startedMs, endedMs }];
    this.#lanes.inFlight.remove(envelope);
    this.#parts.measures.stored(envelope, shardId);
    envelope.records.forEach((record, subSequenceNumber) => {
      const attempts = attemptsOf(record, all);
      record.settle({ shardId, sequenceNumber, subSequenceNumber, attempts });
    });
  }

  #refused(envelopes: readonly Envelope[], failure: Failure, times: Times): void {
    const { kind, errorCode, errorMessage, maybeStored } = failure;
    const attempt = { ...times, errorCode, errorMessage, ...(maybeStored && { maybeStored }) };
    for (const envelope of envelopes) {
      envelope.attempts.push(attempt);
      this.#lanes.inFlight.remove(envelope);
    }
    const { failIfThrottled, onPermanentError } = this.#parts.settings;
    const isGivenUp =
      (kind === "throttled" && failIfThrottled) ||
      (kind === "permanent" && onPermanentError === "fail");
    if (kind === "invalid") for (const envelope of envelopes) this.#invalid(envelope, failure);
    else if (isGivenUp) for (const envelope of envelopes) this.fail(envelope, failure);
    else for (const envelope of envelopes) this.#lanes.putBack(envelope);
    this.#slowDown(envelopes, failure, times, isGivenUp);
  }

  /** An aggregate is taken apart, to find the record that the service cannot accept. */
  #invalid(envelope: Envelope, failure: Failure): void {
    if (envelope.records.length > 1) this.#lanes.remakeAll([envelope], ALONE);
    else this.fail(envelope, failure);
  }

  /** Gives up the records of an envelope that is not in flight. */
  fail(
    envelope: Envelope,
    { errorCode, errorMessage }: Pick<Failure, "errorCode" | "errorMessage">,
  ) {
    for (const record of envelope.records) {
      const attempts = attemptsOf(record, envelope.attempts);
      record.settle({ errorCode, message: errorMessage, attempts });
    }
    this.#parts.measures.failed(envelope.records.length, errorCode);
  }

  /** Removes the envelopes that were stored in a shard that nobody knows. */
  drain(): readonly Envelope[] {
    const drained = this.#unplaced.map(({ envelope }) => envelope);
    this.#unplaced = [];
    return drained;
  }

  /** Slows down the shard, or the stream. */
  #slowDown(
    [first, ...more]: readonly Envelope[],
    { kind, errorCode, errorMessage, maybeStored }: Failure,
    { startedMs, endedMs }: Times,
    isGivenUp: boolean,
  ): void {
    if (first === undefined || kind === "invalid") return;
    const limiter = this.#lanes.laneOfShard(first.shardId)?.limiter;
    const count = more.reduce((sum, each) => sum + each.records.length, first.records.length);
    const { shardId = "" } = first;
    const isThrottled = kind === "throttled";
    if (isThrottled) limiter?.refused(endedMs, startedMs);
    else limiter?.failed(endedMs);
    const retryInMs = kind === "permanent" ? this.#pause(REFUSED, endedMs) : undefined;
    const trouble = `${errorCode} ${isThrottled ? shardId : ""}`;
    const records = this.#repeats.add(trouble, count, endedMs);
    if (records !== undefined) {
      const { emit, streamName } = this.#parts;
      const what = { streamName, errorCode, errorMessage, records };
      const ratePercent = Math.round(100 * (limiter?.rate ?? 1));
      if (isThrottled) emit({ type: "putThrottled", streamName, shardId, records, ratePercent });
      else if (retryInMs === undefined) emit({ type: "putCallFailed", ...what, maybeStored });
      else emit({ type: "putRefused", ...what, ...(!isGivenUp && { retryInMs }) });
    }
    this.#failuresInARow += 1;
    if (this.#failuresInARow >= DOUBT_THE_MAP_AFTER) this.#keeper.refresh();
  }

  #pause(backoff: Backoff, nowMs: number): number {
    const pauseMs = backoffMs(this.#failuresInARow, backoff, this.#parts.random);
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, nowMs + pauseMs);
    return pauseMs;
  }
}

function hashKeyOfRecord({ partitionKey, explicitHashKey }: Pending): bigint {
  if (explicitHashKey !== undefined) return BigInt(explicitHashKey);
  hashWords(partitionKey, words);
  return hashKeyOf(words);
}
