// Stores the low-water mark of a shard's lanes in its lease. A lane's own checkpoint is kept in
// memory only: workers of Java rewrite rows, so the row is no place for it.
//
// Each of n lanes checkpoints its part of a batch, and each may move the mark a little. That would
// make n writes of one. The mark is therefore written when a batch is done by all lanes, otherwise
// at most once a second, and at the end.

import type { Clock } from "../../clock.ts";
import type { HeldLease } from "../../leases/heldLease.ts";
import { comparePositions, type Position, SHARD_END } from "../../model/position.ts";
import type { StorePosition } from "../checkpointer.ts";
import type { CoalescedStore } from "../store.ts";
import type { LowWater } from "./lowWater.ts";

const WITHIN_BATCH_MS = 1_000;

export class LaneMarks {
  readonly #lease: HeldLease;
  readonly #lowWater: LowWater;
  readonly #store: CoalescedStore;
  readonly #clock: Clock;
  readonly #moved: () => void;
  #stored: Position;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #batchesWritten = 0;
  /** The last write failed, so that there is a mark to store although it has not moved. */
  #hasFailed = false;
  /** The end of the last write: writes run one after another, so no older mark follows a newer. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  /** @param moved called when a lane has checkpointed. */
  constructor(
    lease: HeldLease,
    lowWater: LowWater,
    store: CoalescedStore,
    clock: Clock,
    moved: () => void,
  ) {
    this.#lease = lease;
    this.#lowWater = lowWater;
    this.#store = store;
    this.#clock = clock;
    this.#moved = moved;
    this.#stored = lowWater.mark;
  }

  /** A lane has checkpointed. If the mark is to be stored therefore, returns when it is. */
  async checkpointed(lane: number, position: Position): ReturnType<StorePosition> {
    const before = this.#lowWater.mark;
    this.#lowWater.checkpointed(lane, position);
    this.#moved();
    const hasMoved = this.#lowWater.mark !== before;
    if (this.#hasFailed || (hasMoved && this.#isDue)) return this.store();
    return this.#lease.trusted ? "stored" : "lost";
  }

  get #isDue(): boolean {
    const { batchesDone, mark } = this.#lowWater;
    if (batchesDone > this.#batchesWritten || mark === SHARD_END) return true;
    return this.#clock.monotonicMs() - this.#writtenAtMs >= WITHIN_BATCH_MS;
  }

  /** Stores the mark, if it has moved. */
  store(): ReturnType<StorePosition> {
    const written = this.#lastWrite.then(() => this.#write());
    this.#lastWrite = written.catch(() => undefined);
    return written;
  }

  /** Stores what is not stored yet. A failure is reported as that of an acknowledged checkpoint. */
  async close(): Promise<void> {
    await this.store().catch(() => undefined);
    await this.#store.close();
  }

  async #write(): ReturnType<StorePosition> {
    if (!this.#lease.trusted) return "lost";
    const { mark, batchesDone } = this.#lowWater;
    if (comparePositions(mark, this.#stored) <= 0) return "stored";
    this.#writtenAtMs = this.#clock.monotonicMs();
    this.#batchesWritten = batchesDone;
    try {
      const result = await this.#store.store(mark);
      this.#hasFailed = false;
      if (result === "stored") this.#stored = mark;
      return result;
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    }
  }
}
