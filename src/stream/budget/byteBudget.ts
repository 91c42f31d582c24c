// Keeps count of the bytes of records that were fetched and that no child has read yet, of all shards, and has shards
// wait until they may hold more. The rules are those of `allowance.ts`.

import { LARGE_RECORD_BYTES } from "../polling/recordSizes.ts";
import {
  batchBytes,
  grantedBytes,
  LARGEST_BATCH_BYTES,
  mayHold,
  type Pools,
  type Situation,
} from "./allowance.ts";

/** What is to come: nothing that matters, records of a size that is not known, or records of about so many bytes. */
export type Need = "small" | "unknown" | number;

const MIB = 1024 * 1024;
/**
 * All that shards may hold where the person has set no limit: 16 MiB, and as far as they need it 8 MiB for each, which is what a
 * shard at the service's limit is written in five seconds; 256 MiB at most.
 */
const BY_DEFAULT: Pools = {
  sharedBytes: 16 * MIB,
  eachBytes: 8 * MIB,
  needsBytes: 240 * MIB,
};

export class ByteBudget {
  /** What the person has set; `undefined`: the total follows what the shards need. */
  readonly limitBytes: number | undefined;
  readonly #pools: Pools;
  readonly #holding = new Set<Share>();
  readonly #needing = new Set<Share>();
  #heldBytes = 0;
  #neededBytes = 0;
  #wake: (() => void)[] = [];

  /** @param limitBytes of rendered records in memory, counted from the answer until the child has them. */
  constructor(limitBytes?: number) {
    this.limitBytes = limitBytes;
    this.#pools =
      limitBytes === undefined
        ? BY_DEFAULT
        : { sharedBytes: limitBytes, eachBytes: 0, needsBytes: 0 };
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A limit with which every shard could have what it needs: one batch in hand and one ahead. */
  get enoughBytes(): number {
    const largest = Math.max(0, ...[...this.#needing].map(({ neededBytes }) => neededBytes));
    return Math.ceil((2 * largest * this.#needing.size) / MIB) * MIB;
  }

  /** A share for one shard, until `leave`. */
  join(): ByteShare {
    return new Share(this);
  }

  /** @internal How large its next batch may be. */
  batchBytes(share: Share): number {
    return batchBytes(this.#situation(share), this.#pools);
  }

  /** @internal What to reserve for its next batch. The first of all shards may have everything; the others, who do not wait for its answer, one record. */
  bytesFor(share: Share, need: Need): number {
    if (need === "small") return 0;
    if (need !== "unknown") return Math.max(this.batchBytes(share), Math.ceil(need));
    if (this.#heldBytes > 0) return LARGE_RECORD_BYTES;
    return Math.min(this.#pools.sharedBytes, LARGEST_BATCH_BYTES);
  }

  /** @internal */
  mayHold(share: Share, bytes: number): boolean {
    return mayHold(bytes, this.#situation(share), this.#pools);
  }

  /** @internal What it may hold in any case. */
  grantedBytes(share: Share): number {
    return grantedBytes(this.#situation(share), this.#pools);
  }

  /** @internal */
  change(share: Share, bytes: number): void {
    this.#heldBytes += bytes;
    if (share.heldBytes > 0) this.#holding.add(share);
    else this.#holding.delete(share);
    if (bytes <= 0) this.#wakeAll();
  }

  /** @internal */
  changeNeed(share: Share, bytes: number): void {
    this.#neededBytes += bytes;
    if (share.neededBytes > 0) this.#needing.add(share);
    else this.#needing.delete(share);
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

  #wakeAll(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }

  #situation(share: Share): Situation {
    return {
      heldBytes: share.heldBytes,
      neededBytes: share.neededBytes,
      allHeldBytes: this.#heldBytes,
      allNeededBytes: this.#neededBytes,
      needing: this.#needing.size + (this.#needing.has(share) ? 0 : 1),
      holding: this.#holding.size + (this.#holding.has(share) ? 0 : 1),
    };
  }
}

/** What one shard holds of the budget. */
export interface ByteShare {
  readonly heldBytes: number;
  /** How large the next batch should be at most. */
  batchBytes(): number;
  /** Says what one batch of the shard should hold, so that it does not fall behind. */
  needs(bytes: number): void;
  /** Of that it may hold so much in any case. */
  readonly grantedBytes: number;
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
  #neededBytes = 0;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get neededBytes(): number {
    return this.#neededBytes;
  }

  get grantedBytes(): number {
    return this.#budget.grantedBytes(this);
  }

  batchBytes(): number {
    return this.#budget.batchBytes(this);
  }

  needs(bytes: number): void {
    const more = bytes - this.#neededBytes;
    this.#neededBytes = bytes;
    this.#budget.changeNeed(this, more);
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
    this.needs(0);
  }
}
