// Decides when a shard is asked again. The service allows five GetRecords calls and 2 MiB a second
// for each shard, for all of its consumers together, and throttles what exceeds that.
//
// With `idleTimeBetweenReadsInMillis`, the user decides. The time is measured from the start of one
// call to the start of the next, so 200 means five calls a second. (The Java daemon measures from
// the end of a call, so a record waits longer by the duration of a call.) After a long call, at
// least half of this time passes.
//
// Without the setting, the daemon adapts: behind the tip it asks at once, after records it asks
// soon, and without records it asks less and less often. Many hot shards are asked less often than
// a few are, because each call costs CPU. A shard that was throttled once keeps to the service's
// limits from then on. If it is throttled again, other consumers read it too, and the daemon
// reduces its own rate step by step.

import { type Backoff, backoffMs } from "../../retry.ts";
import { READ_BYTES_PER_MS } from "../budget/shardNeed.ts";

/** The properties of polling. */
export interface PollingSettings {
  /** `Limit` of GetRecords: 1 to 10,000 records per call. */
  readonly maxRecords: number;
  /** Values below 200 count as 200. `undefined` = adapt the interval to the shard's records. */
  readonly idleTimeBetweenReadsInMillis: number | undefined;
  /** A shard whose lag is shorter than this is read only at this interval. 0 or absent = off. */
  readonly millisBehindLatestThresholdForReducedTps?: number;
  /** The time limit of a call; 30,000 when absent, as in the Java daemon. */
  readonly requestTimeoutMs?: number;
}

type PaceSettings = Pick<
  PollingSettings,
  "idleTimeBetweenReadsInMillis" | "millisBehindLatestThresholdForReducedTps"
>;

/** The service's own limit. */
const SHORTEST_IDLE_MS = 200;
/** Four of the five calls a second; one is left to other consumers. A record waits half of this. */
const BUSY_MS = 250;
/** Calls a second for all hot shards of the daemon together, as far as `LONGEST_HOT_MS` permits. */
const HOT_CALLS_PER_SECOND = 32;
/** The longest time between two calls for a hot shard, however many the daemon reads. */
const LONGEST_HOT_MS = 1_000;
const IDLE_MS = 1_000;
/**
 * How much longer an idle shard may wait, as a fraction of its time, so that several shards are
 * asked together. The sum stays below Java's 1,500 ms.
 */
const SLACK = 0.35;
/** Each wait without records is longer than the one before by this factor. */
const SLOWER = 1.25;
/** After a response of this size, a shard that is behind is asked again at once. */
const WORTHWHILE_BYTES = 400_000;
const THROTTLED: Backoff = { baseMs: 400, capMs: 10_000 };
const FAILED: Backoff = { baseMs: 400, capMs: 10_000 };
/** The operator has to act first; more calls would only add load. */
const DENIED: Backoff = { baseMs: 2_000, capMs: 30_000 };

/** A call that got a response. */
export interface CallFacts {
  readonly startedMs: number;
  readonly endedMs: number;
  /** Of records, rendered. */
  readonly bytes: number;
  /** The same records as the service counts them. */
  readonly payloadBytes: number;
  readonly records: number;
  readonly millisBehindLatest: number | undefined;
  /** It asked for few records because their size was unknown, so a small response means nothing. */
  readonly isCautious: boolean;
  /** The number of hot shards of this daemon, including this one; 0 when this shard is not hot. */
  readonly hotShards: number;
}

export class Pace {
  readonly #idleMs: number | undefined;
  readonly #reducedMs: number;
  readonly #random: () => number;
  #emptyAnswers = 0;
  #slackMs = 0;
  #throttles = 0;
  /** The last failures in a row that are of the same kind. */
  #alike: { readonly backoff: Backoff; times: number } | undefined;
  /** The shard was throttled once, so it keeps to the service's limits. */
  #careful = false;
  /** Until this time the last response counts against the service's 2 MiB a second. */
  #paidMs = Number.NEGATIVE_INFINITY;

  constructor(settings: PaceSettings, random = Math.random) {
    const { idleTimeBetweenReadsInMillis: idleMs } = settings;
    this.#idleMs = idleMs === undefined ? undefined : Math.max(SHORTEST_IDLE_MS, idleMs);
    this.#reducedMs = settings.millisBehindLatestThresholdForReducedTps ?? 0;
    this.#random = random;
  }

  /** How much later than at `nextMs` the next call may start. */
  get slackMs(): number {
    return this.#slackMs;
  }

  /** The time between two calls that the user has set; 0 = none. */
  get idleMs(): number {
    return this.#idleMs ?? 0;
  }

  /** The monotonic time at which the next call may start. */
  nextMs(call: CallFacts): number {
    const isNear = (call.millisBehindLatest ?? 0) < this.#reducedMs;
    this.#paidMs = call.startedMs + call.payloadBytes / READ_BYTES_PER_MS;
    return Math.max(this.#usualMs(call), isNear ? call.endedMs + this.#reducedMs : 0);
  }

  #usualMs(call: CallFacts): number {
    this.#throttles = Math.max(0, this.#throttles - 1);
    this.#alike = undefined;
    this.#slackMs = 0;
    const { startedMs, endedMs } = call;
    const paidMs = this.#careful ? this.#paidMs : 0;
    if (this.#idleMs !== undefined) {
      return Math.max(startedMs + this.#idleMs, endedMs + this.#idleMs / 2, paidMs);
    }
    this.#emptyAnswers = call.records > 0 ? 0 : this.#emptyAnswers + 1;
    const gapMs = Math.max(this.#gapMs(call), paidMs - startedMs);
    return startedMs + gapMs * 2 ** this.#throttles;
  }

  /**
   * How long to wait after the shard was throttled. The first time, and when the daemon itself has
   * called too early, until its last response no longer counts.
   */
  throttledMs(nowMs: number): number {
    this.#slackMs = 0;
    this.#alike = undefined;
    const isOurs = !this.#careful || this.#paidMs > nowMs;
    this.#careful = true;
    if (isOurs) return this.#atLeastIdle(this.#paidMs - nowMs);
    this.#throttles = Math.min(this.#throttles + 1, MAX_THROTTLES);
    return this.#atLeastIdle(backoffMs(this.#throttles, THROTTLED, this.#random));
  }

  /**
   * How long to wait after another failure. The back-off grows with failures of the same kind in a
   * row: a long network failure must not delay the call that renews expired credentials.
   */
  failedMs(denied: boolean): number {
    this.#slackMs = 0;
    const backoff = denied ? DENIED : FAILED;
    this.#alike = this.#alike?.backoff === backoff ? this.#alike : { backoff, times: 0 };
    return this.#atLeastIdle(backoffMs(this.#alike.times++, backoff, this.#random));
  }

  #gapMs({ bytes, records, millisBehindLatest, isCautious, hotShards }: CallFacts): number {
    if ((millisBehindLatest ?? 0) > 0) {
      const isWorthwhile = bytes >= WORTHWHILE_BYTES || (isCautious && records > 0);
      return !this.#careful && isWorthwhile ? 0 : SHORTEST_IDLE_MS;
    }
    if (records > 0) return busyMs(hotShards);
    // Random, so that the calls of many idle shards do not coincide.
    const idleMs = Math.min(IDLE_MS, BUSY_MS * SLOWER ** this.#emptyAnswers);
    this.#slackMs = idleMs * SLACK;
    return idleMs * (0.9 + 0.2 * this.#random());
  }

  #atLeastIdle(ms: number): number {
    return Math.max(this.#idleMs ?? SHORTEST_IDLE_MS, ms);
  }
}

/** The rate of calls is halved at most this many times. */
const MAX_THROTTLES = 4;

function busyMs(hotShards: number): number {
  const sharedMs = (hotShards / HOT_CALLS_PER_SECOND) * 1_000;
  return Math.min(Math.max(BUSY_MS, sharedMs), LONGEST_HOT_MS);
}
