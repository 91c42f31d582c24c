// Delivers one batch to the child: whole, or in the parts that the settings and the isolation of
// failures require. Also checkpoints past the records that are never delivered.

import type { HeldLease } from "../leases/heldLease.ts";
import type { Batch, RecordBatch } from "../model/batch.ts";
import { CheckpointError } from "../model/errors.ts";
import { comparePositions, type Position } from "../model/position.ts";
import { underAny } from "../signals.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { MISPLACED, sendToDeadLetters } from "./deadLetters.ts";
import type { Delivery, ShardParts } from "./life.ts";
import { limited } from "./shape.ts";

/**
 * Returns when the child has answered every part. Returns earlier, between two parts, when the
 * lease is lost or a stop is requested.
 *
 * @returns whether the whole batch was delivered.
 */
export async function deliver(batch: Batch, delivery: Delivery): Promise<boolean> {
  const { lease, parts, life } = delivery;
  const { records, millisBehindLatest, misplaced = [] } = batch;
  for (const each of misplaced) if (!(await saveMisplaced(each, lease, parts))) return false;
  const { last } = records;
  const lastMisplaced = misplaced.at(-1)?.last;
  if (!last) {
    if (lastMisplaced) await checkpointPast(lastMisplaced, delivery);
    // Like Java, the daemon makes no call without records for the end of a shard.
    if (!batch.shardEnd && parts.settings.callProcessRecordsEvenForEmptyRecordList) {
      await handOver(records, undefined, millisBehindLatest, delivery);
    }
    return true;
  }
  const wanted = limited(records, parts.settings);
  const cut = wanted.flatMap((part) => life.isolation.cut(part));
  for (const [index, { records: part, deadLettered }] of cut.entries()) {
    const isOver = lease.stopRequested.aborted || life.restart.signal.aborted;
    if (!lease.trusted || (index > 0 && isOver)) return false;
    if (deadLettered) await checkpointPast(part.last ?? last, delivery);
    else await handOver(part, part.last, millisBehindLatest, delivery);
  }
  if (lastMisplaced && comparePositions(lastMisplaced, last) > 0) {
    await checkpointPast(lastMisplaced, delivery);
  }
  return true;
}

/** @returns false when the lease was lost or a stop was requested before the records were safe. */
export async function saveMisplaced(
  records: RecordBatch,
  { shardId, lost, stopRequested }: Pick<HeldLease, "shardId" | "lost" | "stopRequested">,
  parts: ShardParts,
): Promise<boolean> {
  const { deadLetters: place } = parts;
  if (!place) return true;
  return underAny([lost, stopRequested], (over) =>
    sendToDeadLetters({ records, shardId, place, reason: MISPLACED }, parts, over),
  );
}

async function handOver(
  records: RecordBatch,
  last: Position | undefined,
  millisBehindLatest: number | undefined,
  { processor, checkpointer, lease, parts, life }: Delivery,
): Promise<void> {
  const { settings, clock, emit } = parts;
  const bytes = records.textBytes;
  if (last) checkpointer.delivering(last, records.first);
  const startedMs = clock.monotonicMs();
  life.inFlight = records;
  const { shardId } = lease;
  const sent = { shardId, pid: processor.pid, records: records.count, bytes, millisBehindLatest };
  const arrivedMs = records.firstArrivalMs;
  emit({ type: "batchSent", ...sent, arrivedMs, sentMs: clock.now() });
  // After a failure the records are read again, so their memory can be freed as soon as the child
  // has them, unless the isolation of failures looks at them.
  const written = life.isolation.needsRecords ? undefined : () => records.free();
  await processor.processRecords(records, millisBehindLatest, written);
  life.inFlight = undefined;
  life.madeProgress = true;
  lease.delivered(bytes);
  life.isolation.processed(records);
  emit({
    type: "batchProcessed",
    ...sent,
    position: last,
    elapsedMs: clock.monotonicMs() - startedMs,
  });
  if (settings.checkpointPolicy === "onBatchSuccess") await checkpointForChild(checkpointer);
}

/**
 * Checkpoints past records that are not delivered, so that a restart does not isolate them again.
 */
async function checkpointPast(last: Position, { checkpointer }: Delivery): Promise<void> {
  await ignoringRefusal(checkpointer.advancePast(last));
}

/** Checkpoints everything that was delivered, although the child did not request it. */
export async function checkpointForChild(checkpointer: Checkpointer): Promise<void> {
  await ignoringRefusal(checkpointer.checkpoint({ sequenceNumber: null, subSequenceNumber: null }));
}

/** For checkpoints that no child requested. One may fail, because the next one replaces it. */
export async function ignoringRefusal(checkpoint: Promise<unknown>): Promise<void> {
  try {
    await checkpoint;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
  }
}
