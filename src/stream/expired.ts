// Whether the stream's retention has passed a checkpoint. The service then begins at the oldest record that it has left,
// without a word; a person should hear of it, for what lay between is gone.

import type { Emit } from "../events.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { Position } from "../model/position.ts";

/** @param records the first that were read from the position on: reading begins at the record that it names. */
export function tellIfExpired(
  shardId: string,
  from: Position,
  { first }: RecordBatch,
  emit: Emit,
): void {
  if (!first || first.sequenceNumber === from.sequenceNumber) return;
  emit({ type: "recordsExpired", shardId, checkpoint: from, first });
}
