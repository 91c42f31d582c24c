// The three ways in which a child's work on a shard ends: which messages the daemon sends, and what
// the child may still do after each.

import type { HeldLease } from "../leases/heldLease.ts";
import { formatPosition, type Position } from "../model/position.ts";
import type { ChildShard } from "../model/shard.ts";
import { checkpointForChild } from "./delivery.ts";
import type { Delivery, Ending, ShardParts } from "./life.ts";

/**
 * The child answered the end of its shard without a checkpoint, so the child shards cannot start.
 */
export class ShardEndNotCheckpointed extends Error {
  override readonly name = "ShardEndNotCheckpointed";

  readonly shardId: string;
  /** The name of the message that the child answered. */
  readonly answered: string;

  constructor(shardId: string, stored: Position, answered: string) {
    super(
      `${shardId}: the processor answered "${answered}" without a checkpoint. Its last checkpoint is ${formatPosition(stored)}. ` +
        "The daemon cannot finish the shard, nor start its child shards, until the processor calls checkpoint without arguments before it answers.",
    );
    this.shardId = shardId;
    this.answered = answered;
  }
}

/**
 * Sends the child the messages that end its work.
 *
 * @throws ChildFailed when the child fails to answer them.
 * @throws ShardEndNotCheckpointed
 */
export async function endProcessor(ending: Ending, delivery: Delivery): Promise<void> {
  const { processor, lease, parts } = delivery;
  const startedMs = parts.clock.monotonicMs();
  switch (ending.why) {
    case "shardEnded":
      await endShard(ending.children, delivery);
      break;
    case "leaseLost":
      await processor.leaseLost();
      break;
    case "stopRequested":
    case "restartRequested":
    case "stuck":
      // The child may checkpoint while it answers shutdownRequested. Then leaseLost follows, as in
      // Java.
      await processor.shutdownRequested();
      await processor.leaseLost();
      break;
  }
  const elapsedMs = parts.clock.monotonicMs() - startedMs;
  parts.emit({ type: "shardStopped", shardId: lease.shardId, reason: ending.why, elapsedMs });
}

/**
 * Creates the leases of the child shards before the processor can checkpoint the end of this one:
 * a shard that is finished in the lease table always has successors there.
 */
async function endShard(children: readonly ChildShard[], delivery: Delivery): Promise<void> {
  const { processor, checkpointer, lease, parts } = delivery;
  if (!(await addChildren(children, lease, parts))) return processor.leaseLost();
  checkpointer.endShard();
  const answered = await processor.shardEnded();
  if (parts.settings.checkpointPolicy === "onBatchSuccess") await checkpointForChild(checkpointer);
  if (!checkpointer.reachedShardEnd) {
    throw new ShardEndNotCheckpointed(lease.shardId, checkpointer.stored, answered);
  }
}

/** @returns false when the lease was lost in the meantime. */
async function addChildren(
  children: readonly ChildShard[],
  lease: HeldLease,
  { settings, clock }: ShardParts,
): Promise<boolean> {
  while (lease.trusted) {
    const result = await lease.addChildren(children);
    if (result !== "later") return result === "added";
    await clock.sleep(settings.taskBackoffTimeMillis, lease.lost);
  }
  return false;
}
