// Lists the shards of a stream, with all pages.

import {
  type Shard as ListedShard,
  ListShardsCommand,
  type ListShardsCommandInput,
  type ListShardsCommandOutput,
} from "@aws-sdk/client-kinesis";
import { limited } from "../../aws/limited.ts";
import type { Shard, ShardFilter } from "../../model/shard.ts";
import { InvalidResponse } from "../../records/invalidResponse.ts";
import type { CallOptions } from "../calls/kinesisCalls.ts";
import { type RetryOptions, retried } from "../calls/retried.ts";
import { namingStream, type StreamId, streamParameters } from "../calls/streamId.ts";

/** A page has 1,000 shards. The service lets a listing take five minutes. */
const MAX_PAGES = 1_000;

/**
 * All shards that match the filter. Retries until the listing succeeds.
 *
 * @throws StreamNotFound (a UserError) when the stream does not exist; UserError when access is
 *   denied or no credentials are found, unless a call of this client has succeeded before; the
 *   signal's reason when it is aborted.
 */
export function listShards(
  options: RetryOptions,
  stream: StreamId,
  filter: ShardFilter,
): Promise<readonly Shard[]> {
  return retried("ListShards", options, (calls, signal) =>
    listShardsOnce(calls, stream, filter, signal),
  );
}

/** Like `listShards`, without retries. Throws the SDK's errors and StreamNotFound. */
export async function listShardsOnce(
  calls: CallOptions,
  stream: StreamId,
  filter: ShardFilter,
  signal: AbortSignal,
): Promise<readonly Shard[]> {
  const shards: Shard[] = [];
  let input: ListShardsCommandInput = {
    ...streamParameters(stream),
    ...(filter && { ShardFilter: filterParameters(filter) }),
  };
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const output: ListShardsCommandOutput = await namingStream(stream, () =>
      limited(calls, "ListShards", signal, (abortSignal) =>
        calls.client.send(new ListShardsCommand(input), { abortSignal }),
      ),
    );
    for (const shard of output.Shards ?? []) shards.push(toShard(shard));
    if (!output.NextToken) return shards;
    // The token contains the stream and the filter. The service rejects a request that repeats
    // them.
    input = { NextToken: output.NextToken };
  }
  throw new InvalidResponse(`Kinesis sent more than ${MAX_PAGES} pages in response to ListShards.`);
}

function filterParameters(filter: NonNullable<ShardFilter>) {
  return filter.type === "AT_TIMESTAMP"
    ? { Type: "AT_TIMESTAMP" as const, Timestamp: filter.timestamp }
    : { Type: filter.type };
}

function toShard({
  ShardId: shardId,
  ParentShardId,
  AdjacentParentShardId,
  HashKeyRange,
  SequenceNumberRange,
}: ListedShard): Shard {
  const startingHashKey = HashKeyRange?.StartingHashKey;
  const endingHashKey = HashKeyRange?.EndingHashKey;
  const startingSequenceNumber = SequenceNumberRange?.StartingSequenceNumber;
  const endingSequenceNumber = SequenceNumberRange?.EndingSequenceNumber;
  if (!shardId || !startingHashKey || !endingHashKey || !startingSequenceNumber) {
    throw new InvalidResponse(
      `Kinesis listed the shard ${shardId ?? "(without an id)"} without its hash keys or its first sequence number.`,
    );
  }
  return {
    shardId,
    parentShardIds: [ParentShardId, AdjacentParentShardId].filter((id) => id !== undefined),
    hashKeyRange: { startingHashKey, endingHashKey },
    startingSequenceNumber,
    ...(endingSequenceNumber ? { endingSequenceNumber } : {}),
  };
}
