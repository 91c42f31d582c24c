// The producer of any number of streams: it takes records, checks and counts them, and hands each
// to the producer of its stream. Its users are the library (producer.ts), the protocol and the
// commands.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { parseHashKey } from "../records/kpl/hashKey.ts";
import { sharedController, unlessAborted, within } from "../signals.ts";
import { Budget } from "./budget.ts";
import { Measures } from "./measures.ts";
import { isStored, NOT_STORED, type Outcome, type Pending, type UserRecord } from "./record.ts";
import type { ProducerSettings } from "./settings.ts";
import type { Taken } from "./spill/frames.ts";
import type { OnDisk, Spill } from "./spill/spill.ts";
import { type Figure, type Query, Statistics } from "./statistics.ts";
import type { StreamCalls } from "./streamCalls.ts";
import { StreamProducer } from "./streamProducer.ts";
import { problemOf } from "./validate.ts";

export interface CoreParts {
  readonly settings: ProducerSettings;
  /** The calls for a stream. */
  readonly callsOf: (streamName: string) => StreamCalls;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Absent: records are in memory only. */
  readonly spill?: Pick<Spill, "append"> | undefined;
  /** 0 ≤ x < 1; `Math.random` where absent. */
  readonly random?: () => number;
}

interface Running {
  readonly producer: StreamProducer;
  readonly measures: Measures;
  readonly ended: Promise<void>;
}

export class ProducerCore {
  readonly #parts: CoreParts;
  readonly #streams = new Map<string, Running>();
  readonly #statistics: Statistics;
  readonly #budget: Budget;
  readonly #stop = sharedController();
  #isClosing = false;

  constructor(parts: CoreParts) {
    this.#parts = parts;
    this.#statistics = new Statistics(() => parts.clock.monotonicMs());
    this.#budget = new Budget(parts.settings.maxInFlightBytes);
  }

  /** Records without an outcome. */
  get outstanding(): number {
    return this.#budget.outstanding;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Reserves room for a record, with its key, if there is any: then `put` it. */
  tryRoom(bytes: number): boolean {
    return this.#budget.tryEnter(bytes);
  }

  /** Resolves when there is room for a record. The room is reserved: `put` it. */
  room(bytes: number): Promise<void> {
    return this.#budget.enter(bytes);
  }

  /** Gives reserved room back. */
  giveBack(bytes: number): void {
    this.#budget.leave(bytes);
  }

  /** Begins to list the shards of a stream, so that its first records can be aggregated. */
  prepare(streamName: string): void {
    this.#stream(streamName);
  }

  maxRecordBytes(streamName: string): number {
    return this.#stream(streamName).producer.maxRecordBytes;
  }

  /** Why a record cannot be taken. */
  problemOf(streamName: string, record: UserRecord) {
    return problemOf(record, {
      streamName,
      maxRecordBytes: this.maxRecordBytes(streamName),
      maxUserRecordSize: this.#parts.settings.maxUserRecordSize,
    });
  }

  /**
   * Takes a valid record for which room is reserved, and copies its payload.
   *
   * @param settle is called once, with the record's outcome.
   * @param accepted is called when the record is on disk; never without a spill directory.
   */
  put(streamName: string, record: UserRecord, settle: Settle, accepted = () => {}): void {
    const { spill } = this.#parts;
    const settled = whenLeft(this.#budget.begin(sizeOf(record)), settle);
    if (spill) this.#keep(spill, streamName, record, settled, accepted);
    else this.#add(streamName, record, settled);
  }

  /** Puts a record of an earlier run, which is on disk already. Waits for room. */
  async putAgain({ streamName, record, done }: Left): Promise<void> {
    await this.#budget.enter(sizeOf(record));
    const leave = this.#budget.begin(sizeOf(record));
    this.#add(streamName, record, untilDone(leave, done));
  }

  /** Takes a record once it is on disk. */
  #keep(
    spill: Pick<Spill, "append">,
    streamName: string,
    record: UserRecord,
    settle: Settle,
    accepted: () => void,
  ): void {
    spill.append(streamName, record).then(
      ({ data, done }) => {
        accepted();
        this.#add(streamName, { ...record, data }, untilDone(settle, done));
      },
      (error: unknown) => {
        const message = `the record could not be kept on disk, and was not taken: ${String(error)}; free some space, or put it again later`;
        settle({ errorCode: "SpillFull", message, attempts: [] });
      },
    );
  }

  #add(streamName: string, record: UserRecord, settle: Settle): void {
    if (this.#stop.signal.aborted) {
      settle({ errorCode: NOT_STORED, message: NOT_STORED_MESSAGE, attempts: [] });
      return;
    }
    const { data, partitionKey, explicitHashKey: hashKey } = record;
    const { producer, measures } = this.#stream(streamName);
    const pending: Pending = {
      partitionKey,
      explicitHashKey: hashKey === undefined ? undefined : parseHashKey(hashKey)?.toString(),
      arrivedMs: this.#parts.clock.monotonicMs(),
      start: 0,
      length: data.byteLength,
      earlier: [],
      settle,
    };
    measures.received();
    producer.add(pending, data);
  }

  /**
   * Sends everything that was put before, and waits for the outcomes.
   *
   * @returns the number of records without an outcome, when the limit passes first.
   */
  async flush(limitMs?: number): Promise<number> {
    if (this.#budget.outstanding === 0) return 0;
    const settled = this.#budget.settled();
    for (const { producer } of this.#streams.values()) producer.flush();
    if (limitMs === undefined) await settled;
    else await this.#within(limitMs, settled);
    return this.#budget.outstanding;
  }

  /**
   * Flushes and ends, within a limit. Records without an outcome fail with `NotStored`.
   *
   * @param callsMs the longest wait for calls in flight, after the limit.
   * @returns their number.
   */
  async close(
    limitMs = this.#parts.settings.closeTimeoutMillis,
    callsMs = CLOSE_CALLS_MS,
  ): Promise<number> {
    this.#isClosing = true;
    await this.flush(limitMs);
    this.#stop.abort();
    // Calls in flight may hang for as long as their own limit.
    const ended = Promise.all([...this.#streams.values()].map(({ ended: each }) => each));
    await this.#within(
      callsMs,
      ended.then(() => {}),
    );
    let left = 0;
    for (const { producer } of this.#streams.values()) left += producer.abandon(NOT_STORED_MESSAGE);
    return left;
  }

  metrics(query: Query = {}): Figure[] {
    for (const { measures } of this.#streams.values()) measures.addReceived();
    this.samplePending();
    return this.#statistics.figures(query);
  }

  /** The figures of what happened since this was last called. */
  takeMetrics(): Figure[] {
    for (const { measures } of this.#streams.values()) measures.addReceived();
    return this.#statistics.take();
  }

  /** Adds a sample of UserRecordsPending for each stream. */
  samplePending(): void {
    for (const { measures } of this.#streams.values()) measures.samplePending();
  }

  /** User records that were sent again although an earlier attempt may have stored them. */
  get possibleDuplicates(): number {
    return [...this.#streams.values()].reduce(
      (sum, { measures }) => sum + measures.possibleDuplicates,
      0,
    );
  }

  #stream(streamName: string): Running {
    const known = this.#streams.get(streamName);
    if (known) return known;
    const { settings, callsOf, clock, emit, random = Math.random } = this.#parts;
    const measures = new Measures(this.#statistics, streamName);
    const calls = callsOf(streamName);
    const parts = { streamName, settings, calls, clock, emit, measures, random };
    const producer = new StreamProducer(parts);
    const running = { producer, measures, ended: producer.run(this.#stop.signal) };
    this.#streams.set(streamName, running);
    return running;
  }

  async #within(ms: number, work: Promise<void>): Promise<void> {
    const never = new AbortController().signal;
    await within(ms, this.#parts.clock, never, (limit) => unlessAborted(work, limit));
  }
}

type Settle = (outcome: Outcome) => void;

/** A record of an earlier run. */
type Left = Taken & Pick<OnDisk, "done">;

const NOT_STORED_MESSAGE =
  "the producer was closed before the record had an outcome; it is unknown whether it is stored";

/** Apart from `put`: a function made there would keep the user's bytes until the outcome. */
function whenLeft(leave: () => void, settle: Settle): Settle {
  return (outcome) => {
    leave();
    settle(outcome);
  };
}

/** A record without an outcome stays on disk for the next run. */
function untilDone(settle: Settle, done: () => void): Settle {
  return (outcome) => {
    if (isStored(outcome) || outcome.errorCode !== NOT_STORED) done();
    settle(outcome);
  };
}

/** The longest wait for calls in flight after a flush whose limit has passed. */
const CLOSE_CALLS_MS = 1_000;

/** Payload and partition key. */
export function sizeOf({ data, partitionKey }: Pick<UserRecord, "data" | "partitionKey">): number {
  return data.byteLength + Buffer.byteLength(partitionKey);
}
