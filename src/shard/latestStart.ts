// Remembers where reading started for a shard whose checkpoint is LATEST. LATEST means the tip at
// the moment of reading. If the child fails before its first checkpoint, the lease table still says
// LATEST, and a new child that started at the tip again would miss the records in between. So while
// this worker holds the lease, it keeps that moment and the position of the first record after it.

import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";

export class LatestStart {
  /** Wall-clock time at which reading started, in milliseconds since 1970. */
  readonly sinceMs: number;
  #beforeFirst: Position | undefined;

  constructor(nowMs: number) {
    this.sinceMs = nowMs;
  }

  /** Call this with all records, in the order in which they are read. */
  saw(records: RecordBatch): void {
    const { first } = records;
    if (this.#beforeFirst || !first) return;
    // No record has this position. It is the one directly before the first record.
    this.#beforeFirst = { ...first, subSequenceNumber: first.subSequenceNumber - 1 };
  }

  /** Where to read on from a shard with this checkpoint. */
  startFor(checkpoint: Position): Position {
    if (checkpoint.sequenceNumber !== "LATEST") return checkpoint;
    return this.#beforeFirst ?? checkpoint;
  }
}
