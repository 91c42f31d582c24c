// The streams of an application: the client that each is read with, and the identifier that its
// shards have in the lease table. One that reads several streams asks Kinesis when each was
// created, because the lease keys of KCL's multi-stream mode contain that time.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import { kinesisClient } from "../aws/kinesisClient.ts";
import type { AwsOptions } from "../aws/options.ts";
import type { Clock } from "../clock.ts";
import type { Settings } from "../config/settings.ts";
import type { NamedStream } from "../config/streams.ts";
import type { Emit, Event } from "../events.ts";
import type { ListShards } from "../leases/compareWithStream.ts";
import type { Batch } from "../model/batch.ts";
import { inStream, parseStreamShard, plainShardId, scopedTo, shardKey } from "../model/shardKey.ts";
import { describedId } from "../stream/calls/describeStream.ts";
import type { StreamId } from "../stream/calls/streamId.ts";
import { listShards } from "../stream/listing/listShards.ts";
import { waitForStream } from "../stream/listing/waitForStream.ts";
import type { ReadShard } from "../stream/reader.ts";

export interface StreamParts {
  /** The options from which the clients are made. */
  readonly reach: AwsOptions;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Aborted when the daemon stops. */
  readonly signal: AbortSignal;
  /** Wait for a stream that does not exist, instead of failing. */
  readonly waitForStream: boolean;
}

export interface OpenStream {
  readonly client: KinesisClient;
  readonly stream: StreamId;
  /** Absent where the application reads one stream. */
  readonly streamId?: string;
  readonly streamName?: string;
  /** For the parts that know the shards of this stream alone. */
  readonly emit: Emit;
  /** With ids as the lease table has them. */
  readonly listShards: ListShards;
  close(): void;
}

/**
 * @returns none when a stop was requested first.
 * @throws UserError when a stream does not exist, or Kinesis refuses to describe it.
 */
export async function openStreams(
  settings: Settings,
  parts: StreamParts,
): Promise<readonly OpenStream[]> {
  const { streamArn, streamName, streams } = settings;
  const single = streamArn ? { streamARN: streamArn.arn } : { streamName };
  const opening = streams
    ? streams.map((named) => openNamed(named, parts))
    : [openSingle(single, parts)];
  const results = await Promise.allSettled(opening);
  const opened = results.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
  const failure = results.find((each) => each.status === "rejected");
  if (!failure && !parts.signal.aborted) return opened;
  for (const stream of opened) stream.close();
  if (parts.signal.aborted || !failure) return [];
  throw failure.reason;
}

async function openSingle(stream: StreamId, parts: StreamParts): Promise<OpenStream> {
  const { emit } = parts;
  const client = kinesisClient({ ...parts.reach, maxAttempts: 1, emit });
  const calls = { ...parts, client };
  if (parts.waitForStream) await waitForStream(calls, stream);
  const list: ListShards = (filter, signal) => listShards({ ...calls, signal }, stream, filter);
  return { client, stream, emit, listShards: list, close: () => client.destroy() };
}

async function openNamed(named: NamedStream, parts: StreamParts): Promise<OpenStream> {
  const { streamName, arn } = named;
  const stream = arn === undefined ? { streamName } : { streamARN: arn };
  let known = named.streamId;
  const emit: Emit = (event) => parts.emit(placed(event, streamName, known));
  const client = kinesisClient({ ...parts.reach, maxAttempts: 1, emit });
  const calls = { ...parts, client, emit };
  try {
    if (parts.waitForStream) await waitForStream(calls, stream);
    known ??= await describedId(calls, stream);
  } catch (error) {
    client.destroy();
    throw error;
  }
  const streamId = known;
  const list: ListShards = async (filter, signal) => {
    const shards = await listShards({ ...calls, signal }, stream, filter);
    return shards.map((shard) => inStream(streamId, shard));
  };
  const close = () => client.destroy();
  return { client, stream, streamId, streamName, emit, listShards: list, close };
}

/** Reads each shard with the reader of its stream. */
export function readOf(readers: ReadonlyMap<string | undefined, ReadShard>): ReadShard {
  const [only] = readers.values();
  if (only && readers.has(undefined)) return only;
  return async function* batches(shard, from, signal) {
    const streamId = parseStreamShard(shard.shardId)?.streamId;
    const read = readers.get(streamId);
    if (!read) throw new Error(`${shard.shardId} is of no stream of this application`);
    const plain = { ...shard, shardId: plainShardId(shard.shardId) };
    for await (const batch of read(plain, from, signal)) yield keyedEnd(batch, streamId);
  };
}

function keyedEnd(batch: Batch, streamId: string | undefined): Batch {
  const { shardEnd } = batch;
  if (!shardEnd) return batch;
  const children = shardEnd.children.map((child) => inStream(streamId, child));
  return { ...batch, shardEnd: { ...shardEnd, children } };
}

/** The event with the stream in its shard ids, or beside them while the identifier is unknown. */
function placed(event: Event, streamName: string, streamId: string | undefined) {
  const ids = "shardIds" in event && {
    shardIds: event.shardIds.map((id) => shardKey(streamId, id)),
  };
  const id = "shardId" in event &&
    event.shardId !== undefined && { shardId: shardKey(streamId, event.shardId) };
  return { ...event, ...ids, ...id, ...scopedTo(event, streamName), streamName };
}
