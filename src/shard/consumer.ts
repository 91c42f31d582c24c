// One shard's life with one child, from the wait for its parents to the last word. It reads like a sentence:
// wait for the parents, start a child, tell it where to begin, hand it batch after batch, say goodbye.

import type { RecordProcessor, StartProcessor } from "../child/recordProcessor.ts";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { HeldLease, LeaseFacts } from "../leases/heldLease.ts";
import type { Batch } from "../model/batch.ts";
import { CheckpointError } from "../model/errors.ts";
import type { ChildShard } from "../model/shard.ts";
import type { ReadShard } from "../stream/reader.ts";
import { Checkpointer } from "./checkpointer.ts";
import { sayGoodbye } from "./endings.ts";
import type { ShardSettings } from "./settings.ts";

export interface ShardParts {
  readonly read: ReadShard;
  readonly startProcessor: StartProcessor;
  readonly settings: ShardSettings;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** Why the batches stopped. */
export type Ending =
  | { readonly why: "shardEnded"; readonly children: readonly ChildShard[] }
  | { readonly why: "leaseLost" }
  | { readonly why: "stopRequested" };

/**
 * Consumes the shard until it ends, its lease is lost or a stop is requested.
 *
 * @throws ChildFailed when the child breaks down; nothing after its last checkpoint counts as processed.
 */
export async function consumeShard(lease: HeldLease, parts: ShardParts): Promise<void> {
  const facts = await waitForParents(lease, parts);
  if (!facts || facts.checkpoint.sequenceNumber === "SHARD_END") return;

  const { shardId } = lease;
  const checkpointer = new Checkpointer(facts.checkpoint, async (position) => {
    const result = await lease.checkpoint(position);
    if (result === "stored") parts.emit({ type: "checkpointed", shardId, position });
    return result;
  });
  const processor = await parts.startProcessor(shardId, (asked) =>
    tellIfRefused(shardId, parts.emit, checkpointer.checkpoint(asked)),
  );
  try {
    await processor.initialize(facts.checkpoint);
    parts.emit({ type: "shardStarted", shardId, position: facts.checkpoint });
    const ending = await feed(processor, checkpointer, facts, lease, parts);
    await sayGoodbye(ending, { processor, checkpointer, lease, parts });
  } finally {
    await processor.stop();
  }
}

/** Resolves with the lease's facts once no parent is in the way; `undefined` when the lease went before. */
async function waitForParents(
  lease: HeldLease,
  { settings, emit }: ShardParts,
): Promise<LeaseFacts | undefined> {
  const over = AbortSignal.any([lease.lost, lease.stopRequested]);
  let told = false;
  while (!over.aborted) {
    if (await lease.parentsEnded()) return lease.read();
    if (!told) emit({ type: "waitingForParents", shardId: lease.shardId });
    told = true;
    await lease.parentsChanged(settings.parentShardPollIntervalMillis);
  }
  return undefined;
}

/** Hands batch after batch to the child; a batch that it has begun is always finished. */
async function feed(
  processor: RecordProcessor,
  checkpointer: Checkpointer,
  facts: LeaseFacts,
  lease: HeldLease,
  parts: ShardParts,
): Promise<Ending> {
  const over = AbortSignal.any([lease.lost, lease.stopRequested, processor.failed]);
  const { hashKeyRange } = facts;
  const shard = hashKeyRange ? { shardId: lease.shardId, hashKeyRange } : lease;
  const batches = parts.read(shard, facts.checkpoint, over)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await batches.next();
      processor.failed.throwIfAborted();
      if (!lease.trusted) return { why: "leaseLost" };
      if (next.done || over.aborted) return { why: "stopRequested" };
      await deliver(next.value, processor, checkpointer, lease, parts);
      if (!lease.trusted) return { why: "leaseLost" };
      if (next.value.shardEnd) return { why: "shardEnded", ...next.value.shardEnd };
    }
  } finally {
    await batches.return?.();
  }
}

async function deliver(
  { records, millisBehindLatest }: Batch,
  processor: RecordProcessor,
  checkpointer: Checkpointer,
  { shardId }: HeldLease,
  { settings, clock, emit }: ShardParts,
): Promise<void> {
  const { last } = records;
  if (!last && !settings.callProcessRecordsEvenForEmptyRecordList) return;
  if (last) checkpointer.delivering(last);
  const begun = clock.monotonicMs();
  await processor.processRecords(records, millisBehindLatest);
  emit({
    type: "batchProcessed",
    shardId,
    pid: processor.pid,
    records: records.count,
    bytes: records.json.length,
    position: last,
    millisBehindLatest,
    elapsedMs: clock.monotonicMs() - begun,
  });
}

async function tellIfRefused(
  shardId: string,
  emit: Emit,
  checkpoint: Promise<void>,
): Promise<void> {
  try {
    await checkpoint;
  } catch (error) {
    if (error instanceof CheckpointError) {
      emit({ type: "checkpointRefused", shardId, error: error.name, message: error.message });
    }
    throw error;
  }
}
