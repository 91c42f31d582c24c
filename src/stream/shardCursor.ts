// Owns the position at which the next call reads a shard. The iterator is only a cached form of
// that position: it expires after five minutes, and the service may refuse it. A new iterator
// starts *after* the last record that was fetched, so that records in flight to the child do not
// repeat.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { Position, SequenceNumber } from "../model/position.ts";
import type { InitialPosition } from "../model/shard.ts";
import {
  type CallOptions,
  getShardIterator,
  type IteratorPlace,
  placeOf,
} from "./calls/kinesisCalls.ts";
import type { StreamId } from "./calls/streamId.ts";

/** Our clock may be this far ahead of the service's, if the service's is unknown. */
const CLOCK_MARGIN_MS = 10_000;

export class ShardCursor {
  readonly #calls: CallOptions;
  readonly #stream: StreamId;
  readonly #shardId: string;
  #place: IteratorPlace;
  #iterator: string | undefined;

  constructor(
    calls: CallOptions,
    stream: StreamId,
    shardId: string,
    from: Position,
    initial: InitialPosition,
    latestSinceMs?: number,
  ) {
    this.#calls = calls;
    this.#stream = stream;
    this.#shardId = shardId;
    this.#place = startingPlace(from, initial, latestSinceMs);
  }

  /** Reading starts at the shard's tip, as far as is known before the first response. */
  get startsAtTip(): boolean {
    return this.#place.type === "LATEST";
  }

  /** The next iterator starts here. */
  get place(): IteratorPlace {
    return this.#place;
  }

  get hasIterator(): boolean {
    return this.#iterator !== undefined;
  }

  async iterator(signal: AbortSignal): Promise<string> {
    if (this.#iterator !== undefined) return this.#iterator;
    const place = this.#place;
    const { iterator, serviceTimeMs } = await getShardIterator(
      this.#calls,
      this.#stream,
      this.#shardId,
      place,
      signal,
    );
    this.#place = fixedPlace(place, this.#calls.clock, serviceTimeMs);
    this.#iterator = iterator;
    return iterator;
  }

  /** The iterator is invalid: the next call makes a new one. */
  dropIterator(): void {
    this.#iterator = undefined;
  }

  advance(last: SequenceNumber | undefined, next: string | undefined): void {
    this.#iterator = next;
    if (last !== undefined) this.#place = { type: "AFTER_SEQUENCE_NUMBER", sequenceNumber: last };
  }
}

/** @param latestSinceMs the time that LATEST stands for, if it is in the past. */
export function startingPlace(
  from: Position,
  initial: InitialPosition,
  latestSinceMs: number | undefined,
): IteratorPlace {
  const place = placeOf(from, initial);
  if (place.type !== "LATEST" || latestSinceMs === undefined) return place;
  return { type: "AT_TIMESTAMP", timestamp: new Date(latestSinceMs - CLOCK_MARGIN_MS) };
}

/**
 * Replaces LATEST by the time of the response that made its iterator. Another iterator at LATEST
 * would skip the records that arrived in between.
 */
export function fixedPlace(
  place: IteratorPlace,
  clock: Clock,
  serviceTimeMs: number | undefined,
): IteratorPlace {
  if (place.type !== "LATEST") return place;
  return {
    type: "AT_TIMESTAMP",
    timestamp: new Date(serviceTimeMs ?? clock.now() - CLOCK_MARGIN_MS),
  };
}

/**
 * Reports records that expired before they were read. When a checkpoint is older than the stream's
 * retention, Kinesis silently starts at the oldest record that it still has.
 *
 * @param records the first ones read from the position: they should start with the record it names.
 */
export function reportIfExpired(
  shardId: string,
  from: Position,
  { first }: RecordBatch,
  emit: Emit,
): void {
  if (!first || first.sequenceNumber === from.sequenceNumber) return;
  emit({ type: "recordsExpired", shardId, checkpoint: from, first });
}
