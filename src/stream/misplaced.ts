// Aggregates with a record whose hash key is not in the shard's range. KCL takes such an aggregate for one of another shard
// and yields none of its records (`aggregateHashRangeCheck = drop`). Here that is logged, and where there is a destination
// for dead letters the records go with their batch, to be sent there before anything behind them is checkpointed.

import type { Emit } from "../events.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";

export interface MisplacedOptions {
  /** `deliver`: hash keys are not looked at. */
  readonly aggregateHashRangeCheck: "drop" | "deliver";
  /** There is a destination for what is dropped. */
  readonly keepsMisplaced: boolean;
}

/** The misplaced aggregates of the answer that is being read. */
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

  /** An answer is read from its beginning, perhaps for the second time. */
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
   * Logs what the answer brought.
   *
   * @param from where reading began: what is not behind it was logged before.
   * @returns what goes with the batch.
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
