// The children of a finished shard, read from a GetRecords response or a shard listing.

import { z } from "zod";
import type { ChildShard, Shard } from "../model/shard.ts";
import { InvalidResponse } from "./invalidResponse.ts";

const CHILD_SHARDS = z
  .array(
    z.object({
      ShardId: z.string(),
      ParentShards: z.array(z.string()).nullish(),
      HashKeyRange: z.object({ StartingHashKey: z.string(), EndingHashKey: z.string() }),
    }),
  )
  .nullish();

/**
 * `ChildShards` of a response; `undefined` when it is absent or empty.
 *
 * @throws InvalidResponse
 */
export function childShards(value: unknown): readonly ChildShard[] | undefined {
  const parsed = CHILD_SHARDS.safeParse(value);
  if (!parsed.success) {
    throw new InvalidResponse("Kinesis sent a response whose ChildShards are malformed.", {
      cause: parsed.error,
    });
  }
  if (!parsed.data?.length) return undefined;
  return parsed.data.map(({ ShardId, ParentShards, HashKeyRange }) => ({
    shardId: ShardId,
    parentShardIds: ParentShards ?? [],
    hashKeyRange: {
      startingHashKey: HashKeyRange.StartingHashKey,
      endingHashKey: HashKeyRange.EndingHashKey,
    },
  }));
}

/** The children of a shard in a listing of all shards. */
export function childrenIn(shards: readonly Shard[], parentShardId: string): readonly ChildShard[] {
  return shards
    .filter((shard) => shard.parentShardIds.includes(parentShardId))
    .map(({ shardId, parentShardIds, hashKeyRange }) => ({
      shardId,
      parentShardIds,
      hashKeyRange,
    }));
}
