// What is known of a shard: who its parents are and which hash keys it holds.

import { compareSequenceNumbers, isSequenceNumber, type SequenceNumber } from "./position.ts";

/** Inclusive, 0 … 2^128−1, as decimal text like the service and the lease table write them. */
export interface HashKeyRange {
  readonly startingHashKey: string;
  readonly endingHashKey: string;
}

/** A shard as ListShards tells it. */
export interface Shard {
  readonly shardId: string;
  /** None, one (split) or two (merge); parents past retention may no longer be listed. */
  readonly parentShardIds: readonly string[];
  readonly hashKeyRange: HashKeyRange;
  readonly startingSequenceNumber: string;
  /** Absent while the shard is open. */
  readonly endingSequenceNumber?: string;
}

/** Numbers grow, also from a stream to the next one of its name. */
export function beginsAfter(
  { startingSequenceNumber: first }: Shard,
  sequenceNumber: SequenceNumber,
): boolean {
  return isSequenceNumber(first) && compareSequenceNumbers(sequenceNumber, first) < 0;
}

/**
 * Whether a record of this number can be in the shard. An end below the shard's own start says
 * nothing: emulators answer 9223372036854775807 for every closed shard.
 */
export function canHold(shard: Shard, sequenceNumber: SequenceNumber): boolean {
  const last = shard.endingSequenceNumber ?? "";
  const isBehind =
    isSequenceNumber(last) &&
    !beginsAfter(shard, last) &&
    compareSequenceNumbers(sequenceNumber, last) > 0;
  return !isBehind && !beginsAfter(shard, sequenceNumber);
}

/** Sequence numbers of version 2, the only one in use: the version in the bits from 184 on, the shard's number in 32 bits from 4 on. */
const VERSION_2 = { versionAt: 184n, version: 2n, shardAt: 4n, shardMask: 2n ** 32n - 1n };

/**
 * Whether the number can be one of this shard, as far as numbers say which shard gave them.
 *
 * @param known a number of this shard: where it does not name the shard, the others do not either.
 */
export function isOfShard(shardId: string, sequenceNumber: SequenceNumber, known: string): boolean {
  const shard = numberOf(shardId);
  const names = isSequenceNumber(known) ? shardIn(known) : undefined;
  if (shard === undefined || names !== shard) return true;
  return (shardIn(sequenceNumber) ?? shard) === shard;
}

function shardIn(sequenceNumber: SequenceNumber): number | undefined {
  const number = BigInt(sequenceNumber);
  const { versionAt, version, shardAt, shardMask } = VERSION_2;
  return number >> versionAt === version ? Number((number >> shardAt) & shardMask) : undefined;
}

/**
 * Whether a shard of this id can have been in the stream: ids count up, and each shard that is gone has left younger ones.
 * Where the stream's own ids are of another form they tell nothing.
 */
export function canHaveBeenIn(shards: readonly Shard[], shardId: string): boolean {
  const number = numberOf(shardId);
  const numbers = shards.map((shard) => numberOf(shard.shardId));
  if (numbers.includes(undefined)) return true;
  return number !== undefined && numbers.some((listed) => listed !== undefined && listed >= number);
}

function numberOf(shardId: string): number | undefined {
  const digits = /^shardId-(\d{12})$/.exec(shardId)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A child named by the last response of a shard that was split or merged. */
export interface ChildShard {
  readonly shardId: string;
  readonly parentShardIds: readonly string[];
  readonly hashKeyRange: HashKeyRange;
}

/** Where an application begins to read a shard that has no checkpoint. */
export type InitialPosition =
  | { readonly type: "TRIM_HORIZON" }
  | { readonly type: "LATEST" }
  | { readonly type: "AT_TIMESTAMP"; readonly timestamp: Date };

/**
 * Which shards a listing shall hold: those open at a time, with everything after it; `undefined` = all that exist.
 * A listing with a filter covers every hash key exactly once at that time.
 */
export type ShardFilter =
  | { readonly type: "AT_TRIM_HORIZON" }
  | { readonly type: "AT_LATEST" }
  | { readonly type: "AT_TIMESTAMP"; readonly timestamp: Date }
  | undefined;
