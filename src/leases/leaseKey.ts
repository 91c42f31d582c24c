// What the key of a row in a lease table can be. model/shardKey.ts has the form of the keys.

import { parseStreamShard } from "../model/shardKey.ts";

export type LeaseKey =
  | { readonly of: "shard"; readonly shardId: string }
  | { readonly of: "streamShard"; readonly streamName: string; readonly shardId: string }
  | { readonly of: "unknown" };

/** An application has keys of one kind: with the stream, or without it. */
export type KeyMode = "singleStream" | "multiStream";

/** The characters and the length that Kinesis allows in a shard id. */
const SHARD = /^[a-zA-Z0-9_.-]{1,128}$/;
/** All shard ids that Kinesis assigns start with this. */
const SHARD_PREFIX = "shardId-";

export function parseLeaseKey(key: string): LeaseKey {
  if (SHARD.test(key)) return { of: "shard", shardId: key };
  const parsed = parseStreamShard(key);
  return parsed ? { of: "streamShard", ...parsed } : { of: "unknown" };
}

/** Whether the key is that of a shard, even if the rest of the row is damaged. */
export function isShardKey(key: string): boolean {
  const parsed = parseLeaseKey(key);
  return parsed.of !== "unknown" && parsed.shardId.startsWith(SHARD_PREFIX);
}
