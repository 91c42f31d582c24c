// Decides how much memory one shard may use for records that no child has read yet. Pure;
// `ByteBudget` does the accounting.
//
// There are two pools. *Needs*: each shard may hold one batch of the size that it needs, which is
// what the producers write between two calls (`ShardNeed` measures it). The total therefore follows
// the number of busy shards and their rates. When all needs together exceed the bound of the pool,
// no shard gets more than an equal part of the bound. *Shared*: beyond its need, a shard may read
// ahead until this pool is used up; each shard may use an equal part. A shard that holds nothing
// may always fetch one batch, so a child that hangs stops only its own shard.

/** A smaller call costs more CPU time than its records. Each shard may exceed the pools by this. */
export const SMALLEST_BATCH_BYTES = 256 * 1024;
/** The largest response: 10 MiB as base64, and the JSON around 10,000 records. */
export const LARGEST_BATCH_BYTES = 17 * 1024 * 1024;

export interface Pools {
  readonly sharedBytes: number;
  /** What each busy shard adds to the pool of needs. */
  readonly eachBytes: number;
  /** The largest size of the pool of needs. */
  readonly needsBytes: number;
}

/** One shard beside all others. */
export interface Situation {
  readonly heldBytes: number;
  readonly neededBytes: number;
  /** By all shards, including this one. */
  readonly allHeldBytes: number;
  readonly allNeededBytes: number;
  /** The number of shards that need something, including this one. */
  readonly needing: number;
  /** The number of shards that hold something, including this one. */
  readonly holding: number;
}

/** What the shard may hold, no matter how much the others hold. */
export function grantedBytes(shard: Situation, { eachBytes, needsBytes }: Pools): number {
  const bound = Math.min(eachBytes * shard.needing, needsBytes);
  if (shard.allNeededBytes <= bound) return shard.neededBytes;
  return Math.min(shard.neededBytes, bound / shard.needing);
}

/**
 * How large the shard's next batch may be. Its part of the shared pool is halved, so that it can
 * hold one batch that the child works on and one that is fetched ahead.
 */
export function batchBytes(shard: Situation, pools: Pools): number {
  const { sharedBytes } = pools;
  const fair = Math.min(sharedBytes / shard.holding / 2, sharedBytes - shard.allHeldBytes);
  const most = Math.min(Math.max(fair, grantedBytes(shard, pools)), LARGEST_BATCH_BYTES);
  return Math.max(SMALLEST_BATCH_BYTES, Math.floor(most));
}

/** Whether the shard may hold this many more bytes. */
export function mayHold(bytes: number, shard: Situation, pools: Pools): boolean {
  const { sharedBytes } = pools;
  const { heldBytes, allHeldBytes, holding } = shard;
  if (heldBytes === 0) return true;
  if (heldBytes + bytes <= grantedBytes(shard, pools)) return true;
  return allHeldBytes + bytes <= sharedBytes && heldBytes + bytes <= sharedBytes / holding;
}
