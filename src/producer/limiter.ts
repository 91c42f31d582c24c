// How fast one shard may be written: additive increase, multiplicative decrease. A shard accepts
// 1,000 records and 1 MiB per second from all producers together, which do not know of each other.
// Each begins at the full rate, lowers its own when the shard refuses a record, and raises it again
// the faster the longer nothing is refused. So several producers converge to a share each.
//
// The original has no such control: it sends at 150 % of the limit and lets the service refuse.

import { type Backoff, backoffMs } from "../retry.ts";

/** What a shard accepts per second. */
const SHARD_RECORDS = 1_000;
const SHARD_BYTES = 1024 * 1024;

/** Tokens that an idle shard saves, in seconds. One record may exceed them: the next ones wait. */
const BURST_SECONDS = 0.25;

/** The lowest rate, as a fraction of the shard's: a 50 KB envelope every 5 s. */
const MIN_RATE = 0.01;
/** Refusals in this time count as one: they come from the same burst. */
const ONE_CUT_MS = 200;
/** A cut lowers the rate by 4 to 12 %, and by three times as much if refusals persist. */
const CUT_MIN = 0.04;
const CUT_SPREAD = 0.08;
const PERSISTENT_FACTOR = 3;
const PERSISTENT_MS = 1_000;
/** The rate rises by 0.5 % of the shard per second at first, and faster with the square of time. */
const RISE_PER_SECOND = 0.005;
const RISE_PER_SECOND_CUBED = 0.001;
/** The wait of the shard's records after a failure. */
const PAUSE: Backoff = { baseMs: 100, capMs: 2_000 };

/** Sums of fractions are not exact. */
const ROUNDING_MS = 1e-6;

export interface LimiterOptions {
  /** The highest rate, as a fraction of what a shard accepts. */
  readonly ceiling: number;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

export class ShardLimiter {
  readonly #options: LimiterOptions;
  #rate: number;
  /** In seconds of the full shard: 1 is 1,000 records, or 1 MiB. Below 0 after a large record. */
  #records: number;
  #bytes: number;
  #atMs: number;
  #lastCutMs = Number.NEGATIVE_INFINITY;
  #calmSinceMs: number;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #failuresInARow = 0;

  constructor(options: LimiterOptions, nowMs: number) {
    this.#options = options;
    this.#rate = options.ceiling;
    this.#records = BURST_SECONDS * options.ceiling;
    this.#bytes = BURST_SECONDS * options.ceiling;
    this.#atMs = nowMs;
    this.#calmSinceMs = nowMs;
  }

  /** The present rate, as a fraction of what a shard accepts. */
  get rate(): number {
    return this.#rate;
  }

  /** Whole milliseconds until the next record may be sent; 0 if it may go now. */
  waitMs(nowMs: number): number {
    this.#advance(nowMs);
    const owed = Math.max(0, -this.#records, -this.#bytes) / this.#rate;
    const waitMs = Math.max(owed * 1000, this.#pausedUntilMs - nowMs, 0);
    return Math.ceil(waitMs - ROUNDING_MS);
  }

  sent(bytes: number): void {
    this.#records -= 1 / SHARD_RECORDS;
    this.#bytes -= bytes / SHARD_BYTES;
  }

  stored(): void {
    this.#failuresInARow = 0;
  }

  /** @param sentMs when the refused call began. */
  refused(nowMs: number, sentMs: number): void {
    this.#advance(nowMs);
    const { random } = this.#options;
    if (sentMs >= this.#lastCutMs && nowMs - this.#lastCutMs >= ONE_CUT_MS) {
      const isPersistent = nowMs - this.#lastCutMs < PERSISTENT_MS;
      const cut = (CUT_MIN + CUT_SPREAD * random()) * (isPersistent ? PERSISTENT_FACTOR : 1);
      this.#rate = Math.max(MIN_RATE, this.#rate * (1 - cut));
      this.#lastCutMs = nowMs;
    }
    this.#calmSinceMs = nowMs;
    this.failed(nowMs);
  }

  /** The shard could not store a record, for another reason than its limits. */
  failed(nowMs: number): void {
    this.#pausedUntilMs = nowMs + backoffMs(this.#failuresInARow, PAUSE, this.#options.random);
    this.#failuresInARow += 1;
  }

  /** Fills the buckets and raises the rate for the time that has passed. */
  #advance(nowMs: number): void {
    const seconds = (nowMs - this.#atMs) / 1000;
    if (seconds <= 0) return;
    this.#atMs = nowMs;
    const calm = (nowMs - this.#calmSinceMs) / 1000;
    const rise = RISE_PER_SECOND + RISE_PER_SECOND_CUBED * calm * calm;
    this.#rate = Math.min(this.#options.ceiling, this.#rate + rise * seconds);
    const most = BURST_SECONDS * this.#rate;
    this.#records = Math.min(most, this.#records + seconds * this.#rate);
    this.#bytes = Math.min(most, this.#bytes + seconds * this.#rate);
  }
}
