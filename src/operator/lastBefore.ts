// Finds the last record of a shard before a moment, because a checkpoint names a processed record.
// (The number of the first record after the moment, less one, is not a number that Kinesis
// accepts.) Kinesis finds the first record after a time, but not the last record before one. So the
// search goes back in growing steps until it finds a record before the moment, then halves the
// distance repeatedly, and reads the last second in full.

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
/**
 * The length of the stretch that is read in full. A shard receives 1 MB a second at most, which one
 * or two calls return.
 */
const LAST_STRETCH_MS = 1_000;
/** Kinesis allows five GetRecords calls a second for each shard, shared by all readers. */
const PAUSE_MS = 250;
/**
 * The most calls for one shard. A shard that returns no record within them is too sparse to search.
 */
const MAX_CALLS = 400;
/** The most records that one call returns. */
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

/** The last record before the moment arrived between these times. */
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

  /**
   * The last record before the moment. Arrival times are not strictly in order, so reading ends at
   * the first record that is not before the moment.
   */
  async readFrom(fromMs: number): Promise<Position | undefined> {
    let last: Position | undefined;
    for await (const { records } of this.#responses(fromMs, this.#timeMs, ALL_RECORDS)) {
      const late = firstAtOrAfter(records, this.#timeMs);
      if (late > 0) last = records.position(late - 1);
      if (late < records.count) break;
    }
    return last;
  }

  /** The arrival time of the first record from `fromMs` on and before `toMs`. */
  async #firstFrom(fromMs: number, toMs: number): Promise<number | undefined> {
    for await (const { records } of this.#responses(fromMs, toMs, 1)) {
      if (records.count === 0) continue;
      const arrivedMs = records.at(0).approximateArrivalTimestamp;
      return arrivedMs < toMs ? Math.max(arrivedMs, fromMs) : undefined;
    }
    return undefined;
  }

  /** The responses from a time on, until reading is past `toMs` or at the end of the shard. */
  async *#responses(
    fromMs: number,
    toMs: number,
    limit: number,
  ): AsyncIterable<GetRecordsResponse> {
    const { calls, stream } = this.#source;
    const { shardId, hashKeyRange } = this.#shard;
    const disaggregate = disaggregator(
      hashKeyRange,
      () => undefined,
      () => undefined,
    );
    const place = { type: "AT_TIMESTAMP", timestamp: new Date(fromMs) } as const;
    const start = await getShardIterator(calls, stream, shardId, place, this.#signal);
    const getRecords = new GetRecords(calls, shardId);
    let iterator: string | undefined = start.iterator;
    while (iterator) {
      await this.#pause();
      const nowMs = start.serviceTimeMs ?? calls.clock.now();
      const response = await getRecords.call(iterator, limit, disaggregate, this.#signal);
      yield response;
      const behindMs = response.millisBehindLatest ?? 0;
      if (behindMs === 0 || nowMs - behindMs > toMs + CLOCK_MARGIN_MS) return;
      iterator = response.nextShardIterator;
    }
  }

  async #pause(): Promise<void> {
    this.#calls += 1;
    if (this.#calls > MAX_CALLS) throw new SearchTooLong(this.#shard.shardId);
    if (this.#calls > 1) await this.#source.calls.clock.sleep(PAUSE_MS, this.#signal);
    this.#signal.throwIfAborted();
  }
}

/** The service reports its time in whole seconds. */
const CLOCK_MARGIN_MS = 2_000;

class SearchTooLong extends Error {
  constructor(shardId: string) {
    super(
      `Kinesis returned no record of ${shardId} within ${MAX_CALLS} GetRecords calls, so the moment cannot be found. Choose another moment.`,
    );
  }
}

function firstAtOrAfter(records: RecordBatch, timeMs: number): number {
  for (let i = 0; i < records.count; i += 1) {
    if (records.at(i).approximateArrivalTimestamp >= timeMs) return i;
  }
  return records.count;
}
