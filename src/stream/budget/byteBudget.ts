// Counts the bytes of fetched records that no child has read yet, for all shards together. A shard
// waits here until it may hold more. `allowance.ts` has the rules.

import { LARGE_RECORD_BYTES } from "../polling/recordSizes.ts";
import {
  batchBytes,
  grantedBytes,
  LARGEST_BATCH_BYTES,
  mayHold,
  type Pools,
  type Situation,
} from "./allowance.ts";

/** The expected response: small, records of unknown size, or records of about this many bytes. */
export type Need = "small" | "unknown" | number;

const MIB = 1024 * 1024;
/**
 * The limit unless the user sets one: 16 MiB, and up to 8 MiB for each shard that needs it, but
 * never more than 256 MiB in total. Producers at the service's limit write 8 MiB in five seconds.
 */
const BY_DEFAULT: Pools = {
  sharedBytes: 16 * MIB,
  eachBytes: 8 * MIB,
  needsBytes: 240 * MIB,
};

export class ByteBudget {
  /** Set by the user; `undefined`: the total follows what the shards need. */
  readonly limitBytes: number | undefined;
  readonly #pools: Pools;
  readonly #holding = new Set<Share>();
  readonly #needing = new Set<Share>();
  #heldBytes = 0;
  #neededBytes = 0;
  #wake: (() => void)[] = [];

  /** @param limitBytes of rendered records, from the response until the child has read them. */
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

  /** The most that all shards may hold, except for the one batch that each may always fetch. */
  get capacityBytes(): number {
    const { sharedBytes, eachBytes, needsBytes } = this.#pools;
    return sharedBytes + Math.min(needsBytes, eachBytes * this.#needing.size);
  }

  /** A limit that is enough for all: each shard has a batch at work and one fetched ahead. */
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

  /**
   * @internal What to reserve for the next batch. When the size of records is unknown, the first
   * shard may use the whole budget, and the others reserve one record without waiting for it.
   */
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

  /** @internal What it may hold, no matter how much the others hold. */
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

  /** @internal Resolves when a shard has released bytes, or the signal is aborted. */
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

/** One shard's part of the budget. */
export interface ByteShare {
  readonly heldBytes: number;
  /** How large the next batch may be. */
  batchBytes(): number;
  /** Sets what one batch has to hold so that the shard does not fall behind. */
  needs(bytes: number): void;
  /** The part of its need that it may hold, no matter how much the others hold. */
  readonly grantedBytes: number;
  /**
   * Waits until the next batch may be fetched, and holds its expected size.
   *
   * @param need "small" only waits; a number is the size of a record, and makes room for at least
   * one.
   * @returns the bytes that are held; also 0 when the signal is aborted.
   */
  reserve(need: Need, signal: AbortSignal): Promise<number>;
  /** Counts bytes beyond those reserved; negative when the response was smaller. */
  hold(bytes: number): void;
  release(bytes: number): void;
  /** Releases everything. */
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
