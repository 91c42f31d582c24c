// One budget of bytes for the records of all shards that were fetched and not yet taken by a child.
//
// Every shard may hold one batch, whatever the others hold: so a child that hangs on a full budget stops its own shard
// only. More than one batch is granted while the budget lasts, and to each shard at most the same part of it. So that one
// batch a shard is not too much either, batches get smaller as more shards hold some: `batchBytes` says how large.

import { LARGE_RECORD_BYTES } from "./recordSizes.ts";

/** Below this a call would cost more than its records. All shards together may exceed the budget by so much each. */
const SMALLEST_BATCH_BYTES = 256 * 1024;
/** What is to come: nothing that matters, records of a size that is not known, or records of about so many bytes. */
export type Need = "small" | "unknown" | number;

/** What the largest answer of the service comes to: 10 MiB as base64, and what stands around 10,000 records. */
const LARGEST_BATCH_BYTES = 17 * 1024 * 1024;

export class ByteBudget {
  readonly #totalBytes: number;
  readonly #shares = new Set<Share>();
  #heldBytes = 0;
  #wake: (() => void)[] = [];

  /** @param totalBytes of rendered records in memory, counted from the answer until the child has them. */
  constructor(totalBytes: number) {
    this.#totalBytes = totalBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A share for one shard, until `leave`. */
  join(): ByteShare {
    return new Share(this);
  }

  /** @internal How large its next batch may be, so that each shard can have one in hand and one ahead. */
  batchBytes(share: Share): number {
    const left = this.#totalBytes - this.#heldBytes;
    const fair = Math.min(this.#partBytes(share) / 2, left, LARGEST_BATCH_BYTES);
    return Math.max(SMALLEST_BATCH_BYTES, Math.floor(fair));
  }

  /** @internal What to reserve for its next batch. The first of all shards may have everything; the others, who do not wait for its answer, one record. */
  bytesFor(share: Share, need: Need): number {
    if (need === "small") return 0;
    if (need !== "unknown") return Math.max(this.batchBytes(share), Math.ceil(need));
    if (this.#heldBytes > 0) return LARGE_RECORD_BYTES;
    return Math.min(this.#totalBytes, LARGEST_BATCH_BYTES);
  }

  /** @internal */
  mayHold(share: Share, bytes: number): boolean {
    if (share.heldBytes === 0) return true;
    if (this.#heldBytes + bytes > this.#totalBytes) return false;
    return share.heldBytes + bytes <= this.#partBytes(share);
  }

  /** @internal */
  change(share: Share, bytes: number): void {
    this.#heldBytes += bytes;
    if (share.heldBytes > 0) this.#shares.add(share);
    else this.#shares.delete(share);
    if (bytes > 0) return;
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }

  /** @internal Resolves when some shard gave bytes back. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      signal.addEventListener("abort", done, { once: true });
      this.#wake.push(done);
    });
  }

  /** An equal part for each shard that holds something, the one that asks included. */
  #partBytes(share: Share): number {
    return this.#totalBytes / (this.#shares.size + (this.#shares.has(share) ? 0 : 1));
  }
}

/** What one shard holds of the budget. */
export interface ByteShare {
  readonly heldBytes: number;
  /** How large the next batch should be at most; less while many shards hold much. */
  batchBytes(): number;
  /**
   * Waits until the next batch may be fetched, and holds what it may come to, so that others count on it.
   *
   * @param need with "small" it only waits; with a number, there is room for one such record at least.
   * @returns the bytes now held for it; 0 as well when the signal is aborted.
   */
  reserve(need: Need, signal: AbortSignal): Promise<number>;
  /** Counts bytes that have arrived beyond what was reserved; negative when there were less. */
  hold(bytes: number): void;
  release(bytes: number): void;
  /** Gives everything back. */
  leave(): void;
}

class Share implements ByteShare {
  readonly #budget: ByteBudget;
  #heldBytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  batchBytes(): number {
    return this.#budget.batchBytes(this);
  }

  async reserve(need: Need, signal: AbortSignal): Promise<number> {
    while (!signal.aborted) {
      const bytes = this.#budget.bytesFor(this, need);
      if (this.#budget.mayHold(this, bytes)) {
        this.hold(bytes);
        return bytes;
      }
      await this.#budget.changed(signal);
    }
    return 0;
  }

  hold(bytes: number): void {
    this.#heldBytes += bytes;
    this.#budget.change(this, bytes);
  }

  release(bytes: number): void {
    this.hold(-bytes);
  }

  leave(): void {
    this.hold(-this.#heldBytes);
  }
}
