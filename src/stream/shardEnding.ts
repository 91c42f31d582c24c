// Whether a shard has ended. It decides whether a lease is closed for good, so the service's word is checked against the
// shard listing wherever it is not plain.
//
// The Java daemon throws an answer away that has neither a next iterator nor children and asks again, for ever; and
// it takes "not found", even of the whole stream, for the end of the shard.

import type { Batch } from "../model/batch.ts";
import type { CallOptions } from "./calls.ts";
import { childrenIn } from "./childShards.ts";
import { InvalidResponse } from "./errors.ts";
import type { GetRecordsAnswer } from "./getRecordsAnswer.ts";
import { listShardsOnce } from "./listShards.ts";
import type { StreamId } from "./streamId.ts";

export type ShardEnd = NonNullable<Batch["shardEnd"]>;

/**
 * The end that an answer brings; `undefined` when the shard goes on.
 *
 * @throws InvalidResponse when the answer contradicts itself or the listing: it is to be thrown away.
 */
export async function endingOf(
  { nextShardIterator, childShards }: Pick<GetRecordsAnswer, "nextShardIterator" | "childShards">,
  calls: CallOptions,
  stream: StreamId,
  shardId: string,
  signal: AbortSignal,
): Promise<ShardEnd | undefined> {
  if (nextShardIterator && !childShards) return undefined;
  if (nextShardIterator) throw contradiction(shardId, "both a next iterator and child shards");
  if (childShards) {
    if (childShards.every(({ parentShardIds }) => parentShardIds.length > 0)) {
      return { children: childShards };
    }
    throw contradiction(shardId, "a child shard without parents");
  }
  const shards = await listShardsOnce(calls, stream, undefined, signal);
  const shard = shards.find((listed) => listed.shardId === shardId);
  if (!shard || shard.endingSequenceNumber !== undefined) {
    return { children: childrenIn(shards, shardId) };
  }
  throw contradiction(shardId, "neither a next iterator nor child shards, though it is open");
}

/**
 * The end of a shard that the service did not find: it was deleted with its last record; children that are still
 * listed are named. `undefined` when it is listed all the same.
 *
 * @throws StreamNotFound when it is the stream that is missing, which ends nothing.
 */
export async function endingOfMissing(
  calls: CallOptions,
  stream: StreamId,
  shardId: string,
  signal: AbortSignal,
): Promise<ShardEnd | undefined> {
  const shards = await listShardsOnce(calls, stream, undefined, signal);
  if (shards.some((listed) => listed.shardId === shardId)) return undefined;
  return { children: childrenIn(shards, shardId) };
}

function contradiction(shardId: string, what: string): InvalidResponse {
  return new InvalidResponse(`Kinesis answered for shard ${shardId} with ${what}; asking again.`);
}
