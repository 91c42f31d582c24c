// What is known of a shard: who its parents are and which hash keys it holds.

/** Inclusive, 0 … 2^128−1, as decimal text like the service and the lease table write them. */
export interface HashKeyRange {
  readonly startingHashKey: string;
  readonly endingHashKey: string;
}

/** A shard as ListShards tells it. */
export interface Shard {
  readonly shardId: string;
  /** None, one (split) or two (merge); parents past retention may no longer be listed. */
  readonly parentShardIds: readonly string[];
  readonly hashKeyRange: HashKeyRange;
  readonly startingSequenceNumber: string;
  /** Absent while the shard is open. */
  readonly endingSequenceNumber?: string;
}

/** A child named by the last response of a shard that was split or merged. */
export interface ChildShard {
  readonly shardId: string;
  readonly parentShardIds: readonly string[];
  readonly hashKeyRange: HashKeyRange;
}

/** Where an application begins to read a shard that has no checkpoint. */
export type InitialPosition =
  | { readonly type: "TRIM_HORIZON" }
  | { readonly type: "LATEST" }
  | { readonly type: "AT_TIMESTAMP"; readonly timestamp: Date };

/**
 * Which shards a listing shall hold: those open at a time, with everything after it; `undefined` = all that exist.
 * A listing with a filter covers every hash key exactly once at that time.
 */
export type ShardFilter =
  | { readonly type: "AT_TRIM_HORIZON" }
  | { readonly type: "AT_LATEST" }
  | { readonly type: "AT_TIMESTAMP"; readonly timestamp: Date }
  | undefined;
