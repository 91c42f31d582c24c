// Decides whether a shard has ended. A wrong decision would complete a lease whose records were not
// read, so an ambiguous response is checked against the shard listing.
//
// The Java daemon differs in two cases. It discards a response that has neither a next iterator nor
// child shards, and repeats the call without limit. It takes "not found" as the end of the shard,
// even when the whole stream is missing.

import type { Batch } from "../../model/batch.ts";
import { isSequenceNumber } from "../../model/position.ts";
import { type ChildShard, canHaveBeenIn, canHold, type Shard } from "../../model/shard.ts";
import { childrenIn } from "../../records/childShards.ts";
import type { GetRecordsResponse } from "../../records/getRecordsResponse.ts";
import { InvalidResponse } from "../../records/invalidResponse.ts";
import type { CallOptions, IteratorPlace } from "../calls/kinesisCalls.ts";
import { ForeignPosition, isRefusedPlace } from "../calls/readErrors.ts";
import { type StreamId, streamNameOf } from "../calls/streamId.ts";
import { listShardsOnce } from "./listShards.ts";

export type ShardEnd = NonNullable<Batch["shardEnd"]>;

/**
 * The end of the shard according to a response; `undefined` when the shard continues.
 *
 * @throws InvalidResponse when the response contradicts itself or the listing: discard it.
 */
export async function endingOf(
  { nextShardIterator, childShards }: Pick<GetRecordsResponse, "nextShardIterator" | "childShards">,
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
  if (!shard) return endOfUnlisted(shards, stream, shardId);
  if (shard.endingSequenceNumber !== undefined) return { children: childrenIn(shards, shardId) };
  throw contradiction(shardId, "neither a next iterator nor child shards, though it is open");
}

/**
 * Decides why the service refused to read at a place in a shard:
 *
 * - The shard is no longer listed, because its last record has expired: returns its end, with those
 *   of its children that are still listed.
 * - The shard is listed and contains the place: returns `undefined`; something else is wrong.
 * - The stream is missing, or is not the one that the place belongs to: throws. Neither is an end.
 *
 * @param refusal the service's error. It can show that a sequence number is not from this shard
 *   even when the listing cannot.
 * @throws StreamNotFound, ForeignPosition
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
  if (!shard) return endOfUnlisted(shards, stream, shardId);
  const number = "sequenceNumber" in place ? place.sequenceNumber : "";
  if (!isSequenceNumber(number)) return undefined;
  if (canHold(shard, number)) {
    if (!isRefusedPlace(refusal)) return undefined;
    const what = `Kinesis refuses to continue reading ${shardId} from ${number} (${refusal.message})`;
    throw new ForeignPosition(streamNameOf(stream), shardId, what);
  }
  const { startingSequenceNumber: first, endingSequenceNumber: last } = shard;
  throw new ForeignPosition(
    streamNameOf(stream),
    shardId,
    `${shardId} is to continue from ${number}, but its sequence numbers start at ${first} and ${last ? `end at ${last}` : "have no end yet"}`,
  );
}

/** A stream that is being created or deleted may list no shards. That is not the end of a shard. */
function endOfUnlisted(shards: readonly Shard[], stream: StreamId, shardId: string): ShardEnd {
  const name = streamNameOf(stream);
  if (shards.length === 0) throw new InvalidResponse(`The stream "${name}" lists no shards.`);
  if (canHaveBeenIn(shards, shardId)) return { children: survivingChildren(shards, shardId) };
  throw new ForeignPosition(name, shardId, `The stream "${name}" never had a shard ${shardId}`);
}

/**
 * One of the two children of a split may have expired, too. The end of a shard creates the leases
 * of both children or of none; shard sync creates the missing ones.
 */
function survivingChildren(shards: readonly Shard[], shardId: string): readonly ChildShard[] {
  const children = childrenIn(shards, shardId);
  const [only] = children;
  return children.length === 1 && only?.parentShardIds.length === 1 ? [] : children;
}

function contradiction(shardId: string, what: string): InvalidResponse {
  return new InvalidResponse(
    `Kinesis sent a response for shard ${shardId} with ${what}. The daemon discards it and repeats the call.`,
  );
}
