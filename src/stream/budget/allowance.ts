// How much one shard may hold of the daemon's memory: decided here, kept count of in `ByteBudget`. Pure.
//
// Two pools. *Needs*: each shard may hold one batch of what it needs, that is, of what comes to it between two of its calls,
// as `ShardNeed` measures it. So the total follows the number of busy shards and their rates; where the needs of all
// exceed their bound, no shard gets more than an equal part of that. *Shared*: beyond its need, a shard may read ahead
// while this pool lasts, each an equal part. A shard that holds nothing may always have one batch: one
// that hangs stops itself only, and none waits for memory that others hold.

/** Below this a call would cost more than its records. All shards together may exceed the pools by so much each. */
export const SMALLEST_BATCH_BYTES = 256 * 1024;
/** What the largest answer of the service comes to: 10 MiB as base64, and what stands around 10,000 records. */
export const LARGEST_BATCH_BYTES = 17 * 1024 * 1024;

export interface Pools {
  readonly sharedBytes: number;
  /** For the needs of all: so much for each shard that needs something, and so much at most. */
  readonly eachBytes: number;
  readonly needsBytes: number;
}

/** One shard among all. */
export interface Situation {
  readonly heldBytes: number;
  readonly neededBytes: number;
  /** Of all shards, this one included. */
  readonly allHeldBytes: number;
  readonly allNeededBytes: number;
  /** Shards that need something, this one included. */
  readonly needing: number;
  /** Shards that hold something, this one included. */
  readonly holding: number;
}

/** What the shard may hold whatever the others hold. */
export function grantedBytes(shard: Situation, { eachBytes, needsBytes }: Pools): number {
  const bound = Math.min(eachBytes * shard.needing, needsBytes);
  if (shard.allNeededBytes <= bound) return shard.neededBytes;
  return Math.min(shard.neededBytes, bound / shard.needing);
}

/** How large its next batch may be. Of the shared pool, so that each shard can have one in hand and one ahead. */
export function batchBytes(shard: Situation, pools: Pools): number {
  const { sharedBytes } = pools;
  const fair = Math.min(sharedBytes / shard.holding / 2, sharedBytes - shard.allHeldBytes);
  const most = Math.min(Math.max(fair, grantedBytes(shard, pools)), LARGEST_BATCH_BYTES);
  return Math.max(SMALLEST_BATCH_BYTES, Math.floor(most));
}

/** Whether it may hold so many bytes more. */
export function mayHold(bytes: number, shard: Situation, pools: Pools): boolean {
  const { sharedBytes } = pools;
  const { heldBytes, allHeldBytes, holding } = shard;
  if (heldBytes === 0) return true;
  if (heldBytes + bytes <= grantedBytes(shard, pools)) return true;
  return allHeldBytes + bytes <= sharedBytes && heldBytes + bytes <= sharedBytes / holding;
}
