// When a shard is asked again. The service allows 5 GetRecords calls and 2 MB per second and shard, to all of its
// consumers together; beyond that it throttles.
//
// With `idleTimeBetweenReadsInMillis` set, the person decides: that long from the start of one call to the start of the next,
// so that 200 is five calls a second. (The Java daemon counts from the end of a call; a record waits as much longer as calls
// take.) A long call is followed by half of it, lest a shard be asked without pause. Without it we adapt: behind the tip at once, after records quickly, without records
// more slowly. A shard that was throttled keeps to what the service allows from then on; if it is throttled all the same,
// others read it too, and it goes down to a fraction of that.

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
/** Of five calls a second we leave one to others: half of this is what a record waits on average. */
const BUSY_MS = 250;
const IDLE_MS = 1_000;
/** How much longer than that an idle shard may be left alone for the company of others; never longer than Java's 1,500 ms. */
const SLACK = 0.35;
/** How much longer each wait without records is than the last. */
const SLOWER = 1.25;
/** An answer of this size is worth a call: more of the same may be asked for at once. */
const WORTHWHILE_BYTES = 400_000;
const THROTTLED: Backoff = { baseMs: 400, capMs: 10_000 };
const TROUBLE: Backoff = { baseMs: 400, capMs: 10_000 };
/** A person has to mend it, and the service should not be bothered meanwhile. */
const DENIED: Backoff = { baseMs: 2_000, capMs: 30_000 };

/** What is known of a call that brought an answer. */
export interface CallFacts {
  readonly startedMs: number;
  readonly endedMs: number;
  /** Of records, rendered. */
  readonly bytes: number;
  /** The same as the service counts them. */
  readonly payloadBytes: number;
  readonly records: number;
  readonly millisBehindLatest: number | undefined;
  /** It asked for few records, as little was known of their size: that they were few says nothing. */
  readonly isCautious: boolean;
}

export class Pace {
  readonly #idleMs: number | undefined;
  readonly #reducedMs: number;
  readonly #random: () => number;
  #emptyAnswers = 0;
  #slackMs = 0;
  #throttles = 0;
  /** The last failures in a row. */
  #alike: { readonly backoff: Backoff; times: number } | undefined;
  /** Throttled once: the service's limits are kept. */
  #careful = false;
  /** When the service has forgotten what the last call brought. */
  #paidMs = Number.NEGATIVE_INFINITY;

  constructor(settings: PaceSettings, random = Math.random) {
    const { idleTimeBetweenReadsInMillis: idleMs } = settings;
    this.#idleMs = idleMs === undefined ? undefined : Math.max(SHORTEST_IDLE_MS, idleMs);
    this.#reducedMs = settings.millisBehindLatestThresholdForReducedTps ?? 0;
    this.#random = random;
  }

  /** How much later than `nextMs` said the next call may start. */
  get slackMs(): number {
    return this.#slackMs;
  }

  /** What the person wants between two calls; 0 = as it suits the shard. */
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

  /** How long to wait after the shard was throttled: at first, or if we asked too early, until our own last call is made up for. */
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
   * How long to wait after another failure. Counted are those in a row that are alike: how long a network was gone says nothing of
   * credentials that ran out meanwhile, and are renewed with the next call.
   */
  failedMs(denied: boolean): number {
    this.#slackMs = 0;
    const backoff = denied ? DENIED : TROUBLE;
    this.#alike = this.#alike?.backoff === backoff ? this.#alike : { backoff, times: 0 };
    return this.#atLeastIdle(backoffMs(this.#alike.times++, backoff, this.#random));
  }

  #gapMs({ bytes, records, millisBehindLatest, isCautious }: CallFacts): number {
    if ((millisBehindLatest ?? 0) > 0) {
      const isWorthwhile = bytes >= WORTHWHILE_BYTES || (isCautious && records > 0);
      return !this.#careful && isWorthwhile ? 0 : SHORTEST_IDLE_MS;
    }
    if (records > 0) return BUSY_MS;
    // A little chance keeps the polls of many idle shards apart.
    const idleMs = Math.min(IDLE_MS, BUSY_MS * SLOWER ** this.#emptyAnswers);
    this.#slackMs = idleMs * SLACK;
    return idleMs * (0.9 + 0.2 * this.#random());
  }

  #atLeastIdle(ms: number): number {
    return Math.max(this.#idleMs ?? SHORTEST_IDLE_MS, ms);
  }
}

/** Slower than the service's limits by at most 2 to the power of this. */
const MAX_THROTTLES = 4;
