// One shard's life with one child, from the wait for its parents to the last word. It reads like a sentence:
// wait for the parents, start a child, tell it where to begin, hand it batch after batch, say goodbye.

import type { CheckpointRequest, StartProcessor } from "../child/recordProcessor.ts";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { HeldLease, LeaseFacts } from "../leases/heldLease.ts";
import type { RecordBatch } from "../model/batch.ts";
import { CheckpointError } from "../model/errors.ts";
import type { ChildShard } from "../model/shard.ts";
import { anySignal } from "../signals.ts";
import type { ReadShard } from "../stream/reader.ts";
import type { DeadLetterPlace } from "./burial.ts";
import { Checkpointer, type StorePosition } from "./checkpointer.ts";
import { type Delivery, deliver } from "./delivery.ts";
import { sayGoodbye } from "./endings.ts";
import type { LatestMoment } from "./latest.ts";
import type { ShardSettings } from "./settings.ts";
import { gathered } from "./shape.ts";
import type { StartTurns } from "./startTurns.ts";
import { CoalescedStore } from "./store.ts";
import type { Suspects } from "./suspects.ts";

export interface ShardParts {
  readonly read: ReadShard;
  readonly startProcessor: StartProcessor;
  readonly startTurns: StartTurns;
  readonly settings: ShardSettings;
  /** Absent: what cannot be processed blocks its shard. */
  readonly deadLetters?: DeadLetterPlace;
  readonly clock: Clock;
  readonly emit: Emit;
}

/** What the supervisor and this life of the shard tell each other. */
export interface Life {
  /** 1 for the first child of this tenure. */
  readonly attempt: number;
  readonly suspects: Suspects;
  readonly latest: LatestMoment;
  /** A batch was processed. */
  moved: boolean;
  /** The records that the child has been given and not answered for. */
  inHand: RecordBatch | undefined;
}

/** Why the batches stopped. */
export type Ending =
  | { readonly why: "shardEnded"; readonly children: readonly ChildShard[] }
  | { readonly why: "leaseLost" }
  /** Also when nothing comes from the stream any more: another worker should try. */
  | { readonly why: "stopRequested" | "stuck" };

/**
 * Consumes the shard until it ends, its lease is lost or a stop is requested.
 *
 * @throws ChildFailed when the child breaks down; nothing after its last checkpoint counts as processed.
 */
export async function consumeShard(lease: HeldLease, parts: ShardParts, life: Life): Promise<void> {
  const facts = await waitForParents(lease, parts);
  if (!facts || facts.checkpoint.sequenceNumber === "SHARD_END") return;

  const started = await parts.startTurns.take(lease.lost, lease.stopRequested);
  if (!started) return;

  const { shardId } = lease;
  const store = positionStore(lease, parts, life);
  const checkpointer = new Checkpointer(shardId, facts.checkpoint, (position) =>
    store.store(position),
  );
  const answer = (asked: CheckpointRequest) =>
    tellIfRefused(shardId, parts.emit, checkpointer.checkpoint(asked));
  const processor = await parts.startProcessor(shardId, answer, life.attempt);
  try {
    await processor.initialize(facts.checkpoint);
    started();
    parts.emit({ type: "shardStarted", shardId, position: facts.checkpoint });
    const delivery = { processor, checkpointer, lease, parts, life };
    const ending = await feed(facts, delivery);
    await sayGoodbye(ending, delivery);
  } finally {
    await processor.stop();
    // What the child was told is stored must be, also when the child is gone.
    await store.close();
  }
}

function positionStore(lease: HeldLease, parts: ShardParts, { suspects }: Life): CoalescedStore {
  const { settings, clock, emit } = parts;
  const { shardId } = lease;
  const told: StorePosition = async (position) => {
    const result = await lease.checkpoint(position);
    if (result === "stored") {
      suspects.settle(position);
      emit({ type: "checkpointed", shardId, position });
    }
    return result;
  };
  return new CoalescedStore({
    store: told,
    intervalMs: settings.checkpointIntervalMs,
    clock,
    told: (error) => tellRefusal(shardId, emit, error),
  });
}

/** Resolves with the lease's facts once no parent is in the way; `undefined` when the lease went before. */
async function waitForParents(
  lease: HeldLease,
  { settings, emit }: ShardParts,
): Promise<LeaseFacts | undefined> {
  let told = false;
  while (!lease.lost.aborted && !lease.stopRequested.aborted) {
    if (await lease.parentsEnded()) return lease.read();
    if (!told) emit({ type: "waitingForParents", shardId: lease.shardId });
    told = true;
    await lease.parentsChanged(settings.parentShardPollIntervalMillis);
  }
  return undefined;
}

/** Hands batch after batch to the child; a batch that it has begun is always finished. */
async function feed(facts: LeaseFacts, delivery: Delivery): Promise<Ending> {
  const { processor, lease, parts, life } = delivery;
  const { signal: over, release } = anySignal(lease.lost, lease.stopRequested, processor.failed);
  const { hashKeyRange } = facts;
  const { shardId } = lease;
  const shard = {
    shardId,
    ...(hashKeyRange && { hashKeyRange }),
    ...(life.attempt > 1 && { latestSinceMs: life.latest.sinceMs }),
  };
  const from = life.latest.startFor(facts.checkpoint);
  const { settings, clock } = parts;
  const read = parts.read(shard, from, over);
  const shaped = settings.maxBatchWindowMs > 0 ? gathered(read, settings, clock, over) : read;
  const batches = shaped[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await batches.next();
      processor.failed.throwIfAborted();
      if (!lease.trusted) return { why: "leaseLost" };
      if (over.aborted) return { why: "stopRequested" };
      if (next.done) return { why: "stuck" };
      life.latest.saw(next.value.records);
      const all = await deliver(next.value, delivery);
      if (!lease.trusted) return { why: "leaseLost" };
      if (!all) return { why: "stopRequested" };
      next.value.records.free();
      if (next.value.shardEnd) return { why: "shardEnded", ...next.value.shardEnd };
    }
  } finally {
    await batches.return?.();
    release();
  }
}

async function tellIfRefused(
  shardId: string,
  emit: Emit,
  checkpoint: Promise<void>,
): Promise<void> {
  try {
    await checkpoint;
  } catch (error) {
    tellRefusal(shardId, emit, error);
    throw error;
  }
}

function tellRefusal(shardId: string, emit: Emit, error: unknown): void {
  if (!(error instanceof CheckpointError)) return;
  emit({ type: "checkpointRefused", shardId, error: error.name, message: error.message });
}
