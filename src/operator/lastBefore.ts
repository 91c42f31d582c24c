// Finds where a moment lies in a shard: the last record before it, for a checkpoint is a record that was processed.
// (The number of the record after it, less one, is no number that Kinesis accepts.) The service finds the first record
// after a time, not the last before one; so the search goes back in growing steps until there is a record before
// the moment, halves the distance, and reads the last second.

import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";
import type { Shard } from "../model/shard.ts";
import type { GetRecordsResponse } from "../records/getRecordsResponse.ts";
import { disaggregator } from "../records/kpl/disaggregate.ts";
import { GetRecords, getShardIterator } from "../stream/calls/kinesisCalls.ts";
import type { TargetStream } from "./target.ts";

const FIRST_STEP_MS = 1_000;
const GROWTH = 8;
/** Kinesis keeps records for 365 days at most. */
const FURTHEST_MS = 366 * 86_400_000;
/** What is read in the end: a shard takes in 1 MB a second, which one or two calls fetch. */
const LAST_STRETCH_MS = 1_000;
/** GetRecords is allowed 5 times a second and shard, to all readers together. */
const PAUSE_MS = 250;
/** Empty answers are followed so far; a shard that brings no record by then is too sparse to search. */
const MAX_CALLS = 400;
/** The most that a call may ask for. */
const ALL_RECORDS = 10_000;

/** @returns `undefined` when the shard has no record before the moment. */
export async function lastBefore(
  timeMs: number,
  shard: Shard,
  source: TargetStream,
  signal: AbortSignal,
): Promise<Position | undefined> {
  const search = new Search(timeMs, shard, source, signal);
  const known = await search.goBack();
  return known && (await search.readFrom(await search.approach(known)));
}

/** A record before the moment is not earlier than `fromMs`; after `toMs` there is none before the moment. */
interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

class Search {
  readonly #timeMs: number;
  readonly #shard: Shard;
  readonly #source: TargetStream;
  readonly #signal: AbortSignal;
  #calls = 0;

  constructor(timeMs: number, shard: Shard, source: TargetStream, signal: AbortSignal) {
    this.#timeMs = timeMs;
    this.#shard = shard;
    this.#source = source;
    this.#signal = signal;
  }

  async goBack(): Promise<Stretch | undefined> {
    let toMs = this.#timeMs;
    for (let stepMs = FIRST_STEP_MS; stepMs < FURTHEST_MS * GROWTH; stepMs *= GROWTH) {
      const fromMs = Math.max(0, this.#timeMs - stepMs);
      const found = await this.#firstFrom(fromMs, toMs);
      if (found !== undefined) return { fromMs: found, toMs };
      toMs = fromMs;
    }
    return undefined;
  }

  async approach({ fromMs, toMs }: Stretch): Promise<number> {
    let [low, high] = [fromMs, toMs];
    while (high - low > LAST_STRETCH_MS) {
      const middle = Math.floor((low + high) / 2);
      const found = await this.#firstFrom(middle, high);
      if (found === undefined) high = middle;
      else low = found;
    }
    return low;
  }

  /** The last record before the moment, or before the first that is not: arrival times are not strictly in order. */
  async readFrom(fromMs: number): Promise<Position | undefined> {
    let last: Position | undefined;
    for await (const { records } of this.#answers(fromMs, this.#timeMs, ALL_RECORDS)) {
      const late = firstAtOrAfter(records, this.#timeMs);
      if (late > 0) last = records.position(late - 1);
      if (late < records.count) break;
    }
    return last;
  }

  /** When the first record arrived that is in the stretch, the end left out. */
  async #firstFrom(fromMs: number, toMs: number): Promise<number | undefined> {
    for await (const { records } of this.#answers(fromMs, toMs, 1)) {
      if (records.count === 0) continue;
      const arrivedMs = records.at(0).approximateArrivalTimestamp;
      return arrivedMs < toMs ? Math.max(arrivedMs, fromMs) : undefined;
    }
    return undefined;
  }

  /** What is read from a time on, until reading is past the other time or at the shard's end. */
  async *#answers(fromMs: number, toMs: number, limit: number): AsyncIterable<GetRecordsResponse> {
    const { calls, stream } = this.#source;
    const { shardId, hashKeyRange } = this.#shard;
    const disaggregate = disaggregator(
      hashKeyRange,
      () => undefined,
      () => undefined,
    );
    const place = { type: "AT_TIMESTAMP", timestamp: new Date(fromMs) } as const;
    const start = await getShardIterator(calls, stream, shardId, place, this.#signal);
    const getRecords = new GetRecords(calls);
    let iterator: string | undefined = start.iterator;
    while (iterator) {
      await this.#pause();
      const nowMs = start.serviceTimeMs ?? calls.clock.now();
      const answer = await getRecords.call(iterator, limit, disaggregate, this.#signal);
      yield answer;
      const behindMs = answer.millisBehindLatest ?? 0;
      if (behindMs === 0 || nowMs - behindMs > toMs + CLOCK_MARGIN_MS) return;
      iterator = answer.nextShardIterator;
    }
  }

  async #pause(): Promise<void> {
    this.#calls += 1;
    if (this.#calls > MAX_CALLS) throw new SearchTooLong(this.#shard.shardId);
    if (this.#calls > 1) await this.#source.calls.clock.sleep(PAUSE_MS, this.#signal);
    this.#signal.throwIfAborted();
  }
}

/** The service's clock is known to the second. */
const CLOCK_MARGIN_MS = 2_000;

class SearchTooLong extends Error {
  constructor(shardId: string) {
    super(`${shardId} brought no answer within ${MAX_CALLS} calls of GetRecords`);
  }
}

function firstAtOrAfter(records: RecordBatch, timeMs: number): number {
  for (let i = 0; i < records.count; i += 1) {
    if (records.at(i).approximateArrivalTimestamp >= timeMs) return i;
  }
  return records.count;
}
