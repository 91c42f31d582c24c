// Collects the aggregates that contain a record whose hash key is outside the shard's range. KCL
// assigns such an aggregate to another shard and delivers none of its records. With
// `aggregateHashRangeCheck = drop` the daemon does the same, and logs it. If a dead-letter
// destination is configured, the records travel with their batch and are sent there before any
// later record is checkpointed.

import type { Emit } from "../events.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";

export interface MisplacedOptions {
  /** `deliver`: hash keys are not checked. */
  readonly aggregateHashRangeCheck: "drop" | "deliver";
  /** A dead-letter destination is configured. */
  readonly keepsMisplaced: boolean;
}

/** The misplaced aggregates of the response that is being parsed. */
export class Misplaced {
  readonly #shardId: string;
  readonly #keeps: boolean;
  readonly #emit: Emit;
  #found: RecordBatch[] = [];

  constructor(shardId: string, keeps: boolean, emit: Emit) {
    this.#shardId = shardId;
    this.#keeps = keeps;
    this.#emit = emit;
  }

  /** Call this before parsing a response: an attempt that failed may have added some. */
  begin(): void {
    this.#found = [];
  }

  /** @param records all of one aggregate. */
  add(records: RecordBatch): void {
    this.#found.push(records);
  }

  holds({ sequenceNumber }: Position): boolean {
    return this.#found.some(({ first }) => first?.sequenceNumber === sequenceNumber);
  }

  /**
   * Reports the misplaced aggregates of the response.
   *
   * @param from the position where reading started: records up to it were reported before.
   * @returns the part of the batch that carries them.
   */
  take(from: Position | undefined): { readonly misplaced?: readonly RecordBatch[] } {
    const found = this.#found.map((records) => (from ? records.after(from) : records));
    this.#found = [];
    const misplaced = found.filter(({ count }) => count > 0);
    for (const records of misplaced) {
      this.#emit({
        type: "aggregateMisplaced",
        shardId: this.#shardId,
        sequenceNumber: records.position(0).sequenceNumber,
        records: records.count,
        kept: this.#keeps,
      });
    }
    return this.#keeps && misplaced.length > 0 ? { misplaced } : {};
  }
}
