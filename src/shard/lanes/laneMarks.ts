// Stores the low-water mark of a shard's lanes in its lease. A lane's own checkpoint is kept in
// memory only: workers of Java rewrite rows, so the row is no place for it.

import type { HeldLease } from "../../leases/heldLease.ts";
import { comparePositions, type Position } from "../../model/position.ts";
import type { StorePosition } from "../checkpointer.ts";
import type { CoalescedStore } from "../store.ts";
import type { LowWater } from "./lowWater.ts";

export class LaneMarks {
  readonly #lease: HeldLease;
  readonly #lowWater: LowWater;
  readonly #store: CoalescedStore;
  readonly #moved: () => void;
  #stored: Position;
  /** The last write failed, so that there is a mark to store although it has not moved. */
  #hasFailed = false;
  /** The end of the last write: writes run one after another, so no older mark follows a newer. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  /** @param moved called when a lane has checkpointed. */
  constructor(lease: HeldLease, lowWater: LowWater, store: CoalescedStore, moved: () => void) {
    this.#lease = lease;
    this.#lowWater = lowWater;
    this.#store = store;
    this.#moved = moved;
    this.#stored = lowWater.mark;
  }

  /** A lane has checkpointed. If that moves the mark, returns when the mark is stored. */
  async checkpointed(lane: number, position: Position): ReturnType<StorePosition> {
    const before = this.#lowWater.mark;
    this.#lowWater.checkpointed(lane, position);
    this.#moved();
    if (this.#lowWater.mark !== before || this.#hasFailed) return this.store();
    return this.#lease.trusted ? "stored" : "lost";
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
    const { mark } = this.#lowWater;
    if (comparePositions(mark, this.#stored) <= 0) return "stored";
    this.#hasFailed = true;
    const result = await this.#store.store(mark);
    this.#hasFailed = false;
    if (result === "stored") this.#stored = mark;
    return result;
  }
}
