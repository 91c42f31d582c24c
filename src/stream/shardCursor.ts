// Where the next call of a shard reads. The place is the truth, the iterator only its cached form: it expires after five
// minutes, and the service may refuse it; then a new one is made *after* the last record that was fetched, so that what is
// already on its way to the child does not come twice.

import type { Clock } from "../clock.ts";
import type { Position, SequenceNumber } from "../model/position.ts";
import type { InitialPosition } from "../model/shard.ts";
import {
  type CallOptions,
  getShardIterator,
  type IteratorPlace,
  placeOf,
} from "./calls/kinesisCalls.ts";
import type { StreamId } from "./calls/streamId.ts";

/** How far our clock may be ahead of the service's, where nothing is known of the service's own. */
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

  /** Whether reading is at the shard's tip, as far as one can know before an answer says more. */
  get startsAtTip(): boolean {
    return this.#place.type === "LATEST";
  }

  /** Where the next iterator is made. */
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

  /** The iterator is of no use any more: the next call makes another. */
  dropIterator(): void {
    this.#iterator = undefined;
  }

  advance(last: SequenceNumber | undefined, next: string | undefined): void {
    this.#iterator = next;
    if (last !== undefined) this.#place = { type: "AFTER_SEQUENCE_NUMBER", sequenceNumber: last };
  }
}

/** @param latestSinceMs the moment that LATEST means, when that is past. */
export function startingPlace(
  from: Position,
  initial: InitialPosition,
  latestSinceMs: number | undefined,
): IteratorPlace {
  const place = placeOf(from, initial);
  if (place.type !== "LATEST" || latestSinceMs === undefined) return place;
  return { type: "AT_TIMESTAMP", timestamp: new Date(latestSinceMs - CLOCK_MARGIN_MS) };
}

/** "Latest" is a moment, that of the answer: asked for again later, it would leave out what came in between. */
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
