// The only place that parses the keys of lease tables.
//
// An application that reads one stream uses the shard id as key. KCL's multi-stream mode puts the
// stream before it, `account:stream:creationEpoch:shardId`, and repeats the stream in the attribute
// `streamName`.

export type LeaseKey =
  | { readonly of: "shard"; readonly shardId: string }
  | { readonly of: "streamShard"; readonly streamName: string; readonly shardId: string }
  | { readonly of: "unknown" };

/** The characters and the length that Kinesis allows in a shard id. */
const SHARD = /^[a-zA-Z0-9_.-]{1,128}$/;
const STREAM_SHARD = /^\d{12}:([a-zA-Z0-9_.-]{1,128}):\d+:([a-zA-Z0-9_.-]{1,128})$/;
/** All shard ids that Kinesis assigns start with this. */
const SHARD_PREFIX = "shardId-";

export function parseLeaseKey(key: string): LeaseKey {
  if (SHARD.test(key)) return { of: "shard", shardId: key };
  const [, streamName, shardId] = STREAM_SHARD.exec(key) ?? [];
  if (streamName === undefined || shardId === undefined) return { of: "unknown" };
  return { of: "streamShard", streamName, shardId };
}

/** Whether the key is a shard id, even if the rest of the row is damaged. */
export function isShardKey(key: string): boolean {
  return parseLeaseKey(key).of === "shard" && key.startsWith(SHARD_PREFIX);
}
