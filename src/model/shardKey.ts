// How the daemon names a shard. An application that reads one stream uses Kinesis' shard id. One
// that reads several puts the stream before it, as the lease keys of KCL's multi-stream mode do:
// `account:stream:creationEpoch:shardId`, with the time at which the stream was created in seconds
// since 1970. Leases, events and consumers treat the whole as one shard id. Only what leaves the
// daemon takes it apart: calls to Kinesis, messages to a child, metrics and log lines.

export interface StreamShard {
  /** `account:stream:creationEpoch`. */
  readonly streamId: string;
  readonly streamName: string;
  /** Kinesis' id of the shard. */
  readonly shardId: string;
}

/** The form of a stream's part of the key. */
export const STREAM_ID = /^(\d+):([a-zA-Z0-9_.-]{1,128}):([1-9]\d*)$/;
const STREAM_SHARD = /^(\d+:([a-zA-Z0-9_.-]{1,128}):\d+):([a-zA-Z0-9_.-]{1,128})$/;

/** `undefined` for the id of a shard of the application's only stream. */
export function parseStreamShard(key: string): StreamShard | undefined {
  if (!key.includes(":")) return undefined;
  const [, streamId, streamName, shardId] = STREAM_SHARD.exec(key) ?? [];
  if (streamId === undefined || streamName === undefined || shardId === undefined) return undefined;
  return { streamId, streamName, shardId };
}

/** Kinesis' id of the shard. */
export function plainShardId(key: string): string {
  return parseStreamShard(key)?.shardId ?? key;
}

/** @param streamId absent where the application reads one stream. */
export function shardKey(streamId: string | undefined, shardId: string): string {
  return streamId === undefined ? shardId : `${streamId}:${shardId}`;
}

/** @param streamId absent where the application reads one stream, to which all shards belong. */
export function isInStream(streamId: string | undefined, key: string): boolean {
  return streamId === undefined || key.startsWith(`${streamId}:`);
}

/** A shard of a stream's listing with the ids that the daemon uses. */
export function inStream<
  Listed extends { readonly shardId: string; readonly parentShardIds: readonly string[] },
>(streamId: string | undefined, shard: Listed): Listed {
  return {
    ...shard,
    shardId: shardKey(streamId, shard.shardId),
    parentShardIds: shard.parentShardIds.map((id) => shardKey(streamId, id)),
  };
}

/** For people: `stream/shardId` where an application reads several streams. */
export function shownShardId(key: string): string {
  const named = parseStreamShard(key);
  return named ? `${named.streamName}/${named.shardId}` : key;
}

/** The scope of an event about failed calls: each stream's failures are a streak of its own. */
export function scopedTo(
  event: object & { readonly scope?: string },
  streamName: string,
): { readonly scope?: string } {
  return event.scope === undefined ? {} : { scope: `${event.scope} of ${streamName}` };
}
