// What the key of a row says: the only place where keys of lease tables are taken apart.
//
// An application that reads one stream uses the shard id. KCL's multi-stream mode puts the stream before it,
// `account:stream:creationEpoch:shardId`, and repeats it in the attribute `streamName`.

export type LeaseKey =
  | { readonly of: "shard"; readonly shardId: string }
  | { readonly of: "streamShard"; readonly streamName: string; readonly shardId: string }
  | { readonly of: "unknown" };

/** Characters and length that the service allows in a shard id. */
const SHARD = /^[a-zA-Z0-9_.-]{1,128}$/;
const STREAM_SHARD = /^\d{12}:([a-zA-Z0-9_.-]{1,128}):\d+:([a-zA-Z0-9_.-]{1,128})$/;
/** Each id that the service has ever given begins so. */
const SHARD_PREFIX = "shardId-";

export function parseLeaseKey(key: string): LeaseKey {
  if (SHARD.test(key)) return { of: "shard", shardId: key };
  const [, streamName, shardId] = STREAM_SHARD.exec(key) ?? [];
  if (streamName === undefined || shardId === undefined) return { of: "unknown" };
  return { of: "streamShard", streamName, shardId };
}

/** Whether a row of this key is about a shard, whatever else is wrong with it. */
export function isShardKey(key: string): boolean {
  return parseLeaseKey(key).of === "shard" && key.startsWith(SHARD_PREFIX);
}
