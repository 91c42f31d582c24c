// The life of one shard with one child, from the wait for its parents to the last message. It reads
// like a sentence: wait for the parents, start a child, send it the starting position, deliver
// batch after batch, end it.

import type { CheckpointRequest } from "../child/recordProcessor.ts";
import type { Emit } from "../events.ts";
import type { HeldLease, LeaseFacts } from "../leases/heldLease.ts";
import { CheckpointError } from "../model/errors.ts";
import type { Position } from "../model/position.ts";
import { anySignal } from "../signals.ts";
import { Checkpointer, type StorePosition } from "./checkpointer.ts";
import { deliver } from "./delivery.ts";
import { endProcessor } from "./endings.ts";
import type { Delivery, Ending, Life, ShardParts } from "./life.ts";
import { limitPatience } from "./restartRequests.ts";
import { gathered } from "./shape.ts";
import { CoalescedStore } from "./store.ts";

/**
 * Consumes the shard until it ends, its lease is lost or a stop is requested.
 *
 * @throws ChildFailed when the child fails. Only what the child has checkpointed counts as
 * processed.
 * @throws ShardEndNotCheckpointed
 */
export async function consumeShard(lease: HeldLease, parts: ShardParts, life: Life): Promise<void> {
  const facts = await waitForParents(lease, parts);
  if (!facts || facts.checkpoint.sequenceNumber === "SHARD_END") return;

  const started = await parts.startTurns.take(lease.lost, lease.stopRequested);
  if (!started) return;

  const { shardId } = lease;
  const store = positionStore(lease, parts, (position) => life.isolation.checkpointed(position));
  const checkpointer = new Checkpointer(shardId, facts.checkpoint, (position) =>
    store.store(position),
  );
  const answer = (request: CheckpointRequest) =>
    reportIfRefused(shardId, parts.emit, checkpointer.checkpoint(request));
  const processor = await parts.startProcessor(shardId, answer, life.attempt);
  parts.restarts?.serve(shardId, () => life.restart.abort());
  void limitPatience(processor, life.restart.signal, parts.clock);
  try {
    const { clock, emit } = parts;
    const startedMs = clock.monotonicMs();
    await processor.initialize(facts.checkpoint);
    started();
    const elapsedMs = clock.monotonicMs() - startedMs;
    emit({ type: "shardStarted", shardId, position: facts.checkpoint, elapsedMs });
    const delivery = { processor, checkpointer, lease, parts, life };
    const ending = await feed(facts, delivery);
    await endProcessor(ending, delivery);
  } finally {
    parts.restarts?.end(shardId);
    await processor.stop();
    // Checkpoints that were acknowledged to the child must be stored even when the child has
    // failed.
    await store.close();
  }
}

/** @param stored called with each position that the lease has. */
export function positionStore(
  lease: HeldLease,
  { settings, clock, emit }: Pick<ShardParts, "settings" | "clock" | "emit">,
  stored: (position: Position) => void = () => {},
): CoalescedStore {
  const { shardId } = lease;
  const reporting: StorePosition = async (position) => {
    const result = await lease.checkpoint(position);
    if (result === "stored") {
      stored(position);
      emit({ type: "checkpointed", shardId, position });
    }
    return result;
  };
  return new CoalescedStore({
    store: reporting,
    intervalMs: settings.checkpointIntervalMs,
    clock,
    onFailure: (error) => reportRefusal(shardId, emit, error),
  });
}

/**
 * @returns the lease's facts once all parents have ended; `undefined` when the lease ended first.
 */
export async function waitForParents(
  lease: HeldLease,
  { settings, emit }: Pick<ShardParts, "settings" | "emit">,
): Promise<LeaseFacts | undefined> {
  let isReported = false;
  while (!lease.lost.aborted && !lease.stopRequested.aborted) {
    if (await lease.parentsEnded()) return lease.read();
    if (!isReported) emit({ type: "waitingForParents", shardId: lease.shardId });
    isReported = true;
    await lease.parentsChanged(settings.parentShardPollIntervalMillis);
  }
  return undefined;
}

/**
 * Delivers batch after batch to the child. Once a delivery has begun, the daemon always waits for
 * the child's answer.
 */
async function feed(facts: LeaseFacts, delivery: Delivery): Promise<Ending> {
  const { processor, lease, parts, life } = delivery;
  const { signal: restart } = life.restart;
  const { signal: over, release } = anySignal(
    lease.lost,
    lease.stopRequested,
    processor.failed,
    restart,
  );
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
      if (over.aborted) return whyStopped(delivery);
      if (next.done) return { why: "stuck" };
      life.latest.saw(next.value.records);
      const isWhole = await deliver(next.value, delivery);
      if (!lease.trusted) return { why: "leaseLost" };
      if (!isWhole) return whyStopped(delivery);
      next.value.records.free();
      if (next.value.shardEnd) return { why: "shardEnded", ...next.value.shardEnd };
    }
  } finally {
    await batches.return?.();
    release();
  }
}

/** A stop of the shard includes what a restart would do. */
function whyStopped({ lease, life }: Delivery): Ending {
  const isRestart = life.restart.signal.aborted && !lease.stopRequested.aborted;
  return { why: isRestart ? "restartRequested" : "stopRequested" };
}

async function reportIfRefused(
  shardId: string,
  emit: Emit,
  checkpoint: Promise<void>,
): Promise<void> {
  try {
    await checkpoint;
  } catch (error) {
    reportRefusal(shardId, emit, error);
    throw error;
  }
}

function reportRefusal(shardId: string, emit: Emit, error: unknown): void {
  if (!(error instanceof CheckpointError)) return;
  emit({ type: "checkpointRefused", shardId, error: error.name, message: error.message });
}
