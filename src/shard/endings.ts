// The three ways in which a child is told that its work is over, and what it may still do in each.

import type { HeldLease } from "../leases/heldLease.ts";
import type { ChildShard } from "../model/shard.ts";
import type { Ending, ShardParts } from "./consumer.ts";
import { checkpointForChild, type Delivery } from "./delivery.ts";
import { ShardEndNotCheckpointed } from "./shardEndNotCheckpointed.ts";

export async function sayGoodbye(ending: Ending, farewell: Delivery): Promise<void> {
  const { processor, lease, parts } = farewell;
  switch (ending.why) {
    case "shardEnded":
      await endShard(ending.children, farewell);
      break;
    case "leaseLost":
      await processor.leaseLost();
      break;
    case "stopRequested":
    case "stuck":
      // The child may checkpoint while it answers. After it, Java drops the lease and says `leaseLost`.
      await processor.shutdownRequested();
      await processor.leaseLost();
      break;
  }
  parts.emit({ type: "shardStopped", shardId: lease.shardId, reason: ending.why });
}

/** Children's leases first, so that nothing can be missed between a parent and its children; then the child's word. */
async function endShard(children: readonly ChildShard[], farewell: Delivery): Promise<void> {
  const { processor, checkpointer, lease, parts } = farewell;
  if (!(await addChildren(children, lease, parts))) return processor.leaseLost();
  checkpointer.endShard();
  const answered = await processor.shardEnded();
  if (parts.settings.checkpointPolicy === "onBatchSuccess") await checkpointForChild(checkpointer);
  if (!checkpointer.reachedShardEnd) {
    throw new ShardEndNotCheckpointed(lease.shardId, checkpointer.stored, answered);
  }
}

/** @returns false when the lease was lost meanwhile. */
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
