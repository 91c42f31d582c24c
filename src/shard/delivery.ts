// One batch on its way into the child: whole, or in the parts that an investigation asks for.

import { underAny } from "../signals.ts";
import type { RecordProcessor } from "../child/recordProcessor.ts";
import type { HeldLease } from "../leases/heldLease.ts";
import type { Batch, RecordBatch } from "../model/batch.ts";
import { CheckpointError } from "../model/errors.ts";
import { comparePositions, type Position } from "../model/position.ts";
import { bury } from "./burial.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { Life, ShardParts } from "./consumer.ts";
import { MISPLACED } from "./deadLetter.ts";
import { limited } from "./shape.ts";

/** A child at work, and all that its deliveries touch. */
export interface Delivery {
  readonly processor: RecordProcessor;
  readonly checkpointer: Checkpointer;
  readonly lease: HeldLease;
  readonly parts: ShardParts;
  readonly life: Life;
}

/**
 * Returns when the child has answered for every part; or between two parts, when the lease went or a stop is requested.
 *
 * @returns whether all of the batch was delivered.
 */
export async function deliver(batch: Batch, delivery: Delivery): Promise<boolean> {
  const { lease, parts, life } = delivery;
  const { records, millisBehindLatest, misplaced = [] } = batch;
  for (const each of misplaced) if (!(await save(each, delivery))) return false;
  const { last } = records;
  const lastMisplaced = misplaced.at(-1)?.last;
  if (!last) {
    if (lastMisplaced) await pass(lastMisplaced, delivery);
    // As with Java, the end of a shard brings no empty call of its own.
    if (!batch.shardEnd && parts.settings.callProcessRecordsEvenForEmptyRecordList) {
      await handOver(records, undefined, millisBehindLatest, delivery);
    }
    return true;
  }
  const wanted = limited(records, parts.settings);
  const cut = wanted.flatMap((part) => life.suspects.cut(part));
  for (const [index, { records: part, buried }] of cut.entries()) {
    if (!lease.trusted || (index > 0 && lease.stopRequested.aborted)) return false;
    if (buried) await pass(part.last ?? last, delivery);
    else await handOver(part, part.last, millisBehindLatest, delivery);
  }
  if (lastMisplaced && comparePositions(lastMisplaced, last) > 0)
    await pass(lastMisplaced, delivery);
  return true;
}

/** Brings records that are not delivered into safety. @returns false when the lease went or a stop is requested before. */
async function save(records: RecordBatch, { lease, parts }: Delivery): Promise<boolean> {
  const { deadLetters: place } = parts;
  if (!place) return true;
  const { shardId, lost, stopRequested } = lease;
  return underAny([lost, stopRequested], (over) =>
    bury({ records, shardId, place }, MISPLACED, parts, over),
  );
}

async function handOver(
  records: RecordBatch,
  last: Position | undefined,
  millisBehindLatest: number | undefined,
  { processor, checkpointer, lease, parts, life }: Delivery,
): Promise<void> {
  const { settings, clock, emit } = parts;
  const bytes = records.json.length;
  if (last) checkpointer.delivering(last, records.first);
  const begunMs = clock.monotonicMs();
  life.inHand = records;
  // The child has them, and where it fails they are read again: so their memory is not held while it works.
  const written = life.suspects.needRecords ? undefined : () => records.free();
  await processor.processRecords(records, millisBehindLatest, written);
  life.inHand = undefined;
  life.moved = true;
  lease.delivered(bytes);
  life.suspects.acquit(records);
  emit({
    type: "batchProcessed",
    shardId: lease.shardId,
    pid: processor.pid,
    records: records.count,
    bytes,
    position: last,
    millisBehindLatest,
    elapsedMs: clock.monotonicMs() - begunMs,
  });
  if (settings.checkpointPolicy === "onBatchSuccess") await checkpointForChild(checkpointer);
}

/** Goes past buried records, so that they are not investigated again after a restart. */
async function pass(last: Position, { checkpointer }: Delivery): Promise<void> {
  await unlessRefused(checkpointer.pass(last));
}

export async function checkpointForChild(checkpointer: Checkpointer): Promise<void> {
  await unlessRefused(checkpointer.checkpoint({ sequenceNumber: null, subSequenceNumber: null }));
}

/** A checkpoint that no child asked for: one that fails is made up for by the next. */
async function unlessRefused(checkpoint: Promise<void>): Promise<void> {
  try {
    await checkpoint;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
  }
}
