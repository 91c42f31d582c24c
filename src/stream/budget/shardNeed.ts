// Measures how much memory a shard needs so that it does not fall behind: twice what is written to
// it between two calls. A shard that is behind needs as much as the service lets it read in that
// time, because more may have been written than was read, and a backlog should be drained at the
// service's limit.

import { LARGEST_BATCH_BYTES } from "./allowance.ts";

/** The service's read limit for a shard: 2 MiB of payload a second. */
export const READ_BYTES_PER_MS = (2 * 1024 * 1024) / 1_000;
/** The service's limit of five GetRecords calls a second. */
const SHORTEST_GAP_MS = 200;
const HEADROOM = 2;
/**
 * One batch of a backlog holds what may be read in the time that the child takes for a batch, but
 * never in less or more time than this.
 */
const SHORTEST_DRAIN_MS = 500;
const LONGEST_DRAIN_MS = 1_000;
/**
 * Covers calls that come late. A larger factor would give a child that is slow with each record
 * larger and larger batches.
 */
const DRAIN_HEADROOM = 1.25;
/** Weight of the newest measurement against the average of those before. */
const WEIGHT = 0.5;

/** A response or event, with or without records. */
export interface Look {
  /** Monotonic. */
  readonly atMs: number;
  /** Of its records, rendered. */
  readonly bytes: number;
  /** The same records as the service counts them. */
  readonly payloadBytes: number;
  readonly millisBehindLatest: number | undefined;
  /** The shard had more records than it returned. */
  readonly behind: boolean;
}

export class ShardNeed {
  #last: { readonly atMs: number; readonly placeMs: number } | undefined;
  #bytesPerMs = 0;
  #gapMs = 0;
  #behind = false;
  /** Rendered bytes per byte of payload. */
  #expansion = 1;

  /** How fast the shard was written, in rendered bytes, at the place that was read last. */
  get bytesPerMs(): number {
    return this.#bytesPerMs;
  }

  received({ atMs, bytes, payloadBytes, millisBehindLatest = 0, behind }: Look): void {
    // When the last record that was read had been written.
    const placeMs = atMs - millisBehindLatest;
    this.#behind = behind;
    if (payloadBytes > 0) this.#expansion = bytes / payloadBytes;
    if (this.#last) {
      const writtenMs = placeMs - this.#last.placeMs;
      this.#gapMs = atMs - this.#last.atMs;
      const most = READ_BYTES_PER_MS * this.#expansion;
      const rate = writtenMs > 0 ? Math.min(most, bytes / writtenMs) : this.#bytesPerMs;
      this.#bytesPerMs += WEIGHT * (rate - this.#bytesPerMs);
    }
    this.#last = { atMs, placeMs };
  }

  /**
   * What one batch should hold.
   *
   * @param workMs how long the child took for its last batch.
   * @param idleMs the time between two calls that the user has set; 0 = none.
   */
  bytes(workMs: number, idleMs: number): number {
    const wanted = this.#behind
      ? DRAIN_HEADROOM * Math.max(this.#writtenIn(workMs), this.#readableIn(workMs, idleMs))
      : HEADROOM * this.#writtenIn(Math.max(this.#gapMs, workMs));
    return Math.min(LARGEST_BATCH_BYTES, wanted);
  }

  /** With smaller batches, the shard falls behind. */
  leastBytes(workMs: number, idleMs: number): number {
    return Math.min(
      LARGEST_BATCH_BYTES,
      this.#writtenIn(Math.max(workMs, idleMs, SHORTEST_GAP_MS)),
    );
  }

  #writtenIn(ms: number): number {
    return this.#bytesPerMs * ms;
  }

  #readableIn(workMs: number, idleMs: number): number {
    const drainMs = Math.max(idleMs, SHORTEST_DRAIN_MS, Math.min(workMs, LONGEST_DRAIN_MS));
    return READ_BYTES_PER_MS * this.#expansion * drainMs;
  }
}
