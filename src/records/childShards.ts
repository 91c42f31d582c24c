// The shards that a finished shard names as its children, out of a GetRecords answer or a shard listing.

import { z } from "zod";
import type { ChildShard, Shard } from "../model/shard.ts";
import { InvalidResponse } from "./invalidResponse.ts";

const ANSWER = z
  .array(
    z.object({
      ShardId: z.string(),
      ParentShards: z.array(z.string()).nullish(),
      HashKeyRange: z.object({ StartingHashKey: z.string(), EndingHashKey: z.string() }),
    }),
  )
  .nullish();

/** `ChildShards` of an answer; `undefined` when it is absent or empty. */
export function childShards(value: unknown): readonly ChildShard[] | undefined {
  const parsed = ANSWER.safeParse(value);
  if (!parsed.success) {
    throw new InvalidResponse("Kinesis answered with ChildShards that cannot be understood.", {
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

/** The children of a shard, as a listing of all shards shows them. */
export function childrenIn(shards: readonly Shard[], parentShardId: string): readonly ChildShard[] {
  return shards
    .filter((shard) => shard.parentShardIds.includes(parentShardId))
    .map(({ shardId, parentShardIds, hashKeyRange }) => ({
      shardId,
      parentShardIds,
      hashKeyRange,
    }));
}
