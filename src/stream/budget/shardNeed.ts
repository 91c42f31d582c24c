// What a shard needs to hold so that it does not fall behind: twice what is written to it between two of its calls.
// And while it is behind, as much as the service allows to be read in that time, since more than was read may have been
// written, and a backlog is to be drained as fast as may be.

import { LARGEST_BATCH_BYTES } from "./allowance.ts";

/** What the service lets a shard be read with: 2 MiB of payload a second. */
export const READ_BYTES_PER_MS = (2 * 1024 * 1024) / 1_000;
/** And how often: five times a second. */
const SHORTEST_GAP_MS = 200;
const HEADROOM = 2;
/** A backlog is drained in batches of what may be read in this time, or in that which the child takes for one. */
const SHORTEST_DRAIN_MS = 500;
const LONGEST_DRAIN_MS = 1_000;
/** A little more than that, for calls that come late; and no more, as a child that is slow with each record would get larger batches without end. */
const DRAIN_HEADROOM = 1.25;
/** How much the last look weighs, beside those before it. */
const WEIGHT = 0.5;

/** An answer or event that brought records, or none. */
export interface Look {
  /** Monotonic. */
  readonly atMs: number;
  /** Of its records, rendered. */
  readonly bytes: number;
  /** The same as the service counts them. */
  readonly payloadBytes: number;
  readonly millisBehindLatest: number | undefined;
  /** More was there than came. */
  readonly behind: boolean;
}

export class ShardNeed {
  #last: { readonly atMs: number; readonly placeMs: number } | undefined;
  /** How fast the shard was written, in rendered bytes, where it was read last. */
  #bytesPerMs = 0;
  #gapMs = 0;
  #behind = false;
  /** Rendered bytes for one of payload. */
  #expansion = 1;

  saw({ atMs, bytes, payloadBytes, millisBehindLatest = 0, behind }: Look): void {
    // Where in the shard's own time it has been read up to.
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
   * @param workMs what the child took for its last batch.
   * @param idleMs what the person wants between two calls; 0 = as it suits the shard.
   */
  bytes(workMs: number, idleMs: number): number {
    const wanted = this.#behind
      ? DRAIN_HEADROOM * Math.max(this.#writtenIn(workMs), this.#readableIn(workMs, idleMs))
      : HEADROOM * this.#writtenIn(Math.max(this.#gapMs, workMs));
    return Math.min(LARGEST_BATCH_BYTES, wanted);
  }

  /** With less a batch, the shard falls behind. */
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
