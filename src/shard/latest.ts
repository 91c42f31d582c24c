// LATEST is a moment: when reading begins. A shard whose child fails before its first checkpoint is still at LATEST in
// the lease table, and a new child that began at the tip again would miss what came in between. So for as long as this
// worker holds the lease, the moment is remembered, and the first record behind it as soon as there is one.

import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";

export class LatestMoment {
  /** Wall-clock time at which reading began, in milliseconds. */
  readonly sinceMs: number;
  #beforeFirst: Position | undefined;

  constructor(nowMs: number) {
    this.sinceMs = nowMs;
  }

  /** Hears of records in the order in which they are read. */
  saw(records: RecordBatch): void {
    const { first } = records;
    if (this.#beforeFirst || !first) return;
    // Not a place of a record, but the one that the first of all comes after.
    this.#beforeFirst = { ...first, subSequenceNumber: first.subSequenceNumber - 1 };
  }

  /** Where reading goes on for a shard that is checkpointed here. */
  startFor(checkpoint: Position): Position {
    if (checkpoint.sequenceNumber !== "LATEST") return checkpoint;
    return this.#beforeFirst ?? checkpoint;
  }
}
