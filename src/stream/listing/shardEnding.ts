// Whether a shard has ended. It decides whether a lease is closed for good, so the service's word is checked against the
// shard listing wherever it is not plain.
//
// The Java daemon throws an answer away that has neither a next iterator nor children and asks again, for ever; and
// it takes "not found", even of the whole stream, for the end of the shard.

import type { Batch } from "../../model/batch.ts";
import { isSequenceNumber } from "../../model/position.ts";
import { type ChildShard, canHaveBeenIn, canHold, type Shard } from "../../model/shard.ts";
import { childrenIn } from "../../records/childShards.ts";
import type { GetRecordsAnswer } from "../../records/getRecordsAnswer.ts";
import { InvalidResponse } from "../../records/invalidResponse.ts";
import type { CallOptions, IteratorPlace } from "../calls/kinesisCalls.ts";
import { ForeignPosition, isRefusedPlace } from "../calls/readErrors.ts";
import { type StreamId, streamNameOf } from "../calls/streamId.ts";
import { listShardsOnce } from "./listShards.ts";

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
  if (!shard) return endOfGone(shards, stream, shardId);
  if (shard.endingSequenceNumber !== undefined) return { children: childrenIn(shards, shardId) };
  throw contradiction(shardId, "neither a next iterator nor child shards, though it is open");
}

/**
 * What it means that the service refused a place in a shard. The end, when the shard was deleted with its last record;
 * children that are still listed are named. `undefined` when it is listed all the same, and the place is one in it.
 *
 * @param refusal what the service answered: it may know better than the listing that the number is none of this shard.
 * @throws StreamNotFound when it is the stream that is missing, ForeignPosition when it is another one than the place was in:
 *   neither ends anything.
 */
export async function endingOfMissing(
  calls: CallOptions,
  stream: StreamId,
  shardId: string,
  place: IteratorPlace,
  refusal: unknown,
  signal: AbortSignal,
): Promise<ShardEnd | undefined> {
  const shards = await listShardsOnce(calls, stream, undefined, signal);
  const shard = shards.find((listed) => listed.shardId === shardId);
  if (!shard) return endOfGone(shards, stream, shardId);
  const number = "sequenceNumber" in place ? place.sequenceNumber : "";
  if (!isSequenceNumber(number)) return undefined;
  if (canHold(shard, number)) {
    if (!isRefusedPlace(refusal)) return undefined;
    const what = `Kinesis refuses to read ${shardId} on from ${number} (${refusal.message})`;
    throw new ForeignPosition(streamNameOf(stream), shardId, what);
  }
  const { startingSequenceNumber: first, endingSequenceNumber: last } = shard;
  throw new ForeignPosition(
    streamNameOf(stream),
    shardId,
    `${shardId} is to be read on from ${number}, but its numbers go from ${first} to ${last ?? "no end yet"}`,
  );
}

/** While a stream is being made or deleted it may list nothing: then nothing has ended. */
function endOfGone(shards: readonly Shard[], stream: StreamId, shardId: string): ShardEnd {
  const name = streamNameOf(stream);
  if (shards.length === 0) throw new InvalidResponse(`The stream "${name}" lists no shards.`);
  if (canHaveBeenIn(shards, shardId)) return { children: survivingChildren(shards, shardId) };
  throw new ForeignPosition(name, shardId, `The stream "${name}" never had a shard ${shardId}`);
}

/** Of the two children of a split one may have expired as well: the end of a shard creates both or none; shard sync, the rest. */
function survivingChildren(shards: readonly Shard[], shardId: string): readonly ChildShard[] {
  const children = childrenIn(shards, shardId);
  const [only] = children;
  return children.length === 1 && only?.parentShardIds.length === 1 ? [] : children;
}

function contradiction(shardId: string, what: string): InvalidResponse {
  return new InvalidResponse(`Kinesis answered for shard ${shardId} with ${what}; asking again.`);
}
