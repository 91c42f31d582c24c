// A shard: its parents, its hash keys, and what sequence numbers and ids reveal about it.

import { compareSequenceNumbers, isSequenceNumber, type SequenceNumber } from "./position.ts";

/** Both included, 0 … 2^128−1, as decimal text like in the service's API and the lease table. */
export interface HashKeyRange {
  readonly startingHashKey: string;
  readonly endingHashKey: string;
}

/** The largest hash key; the smallest is 0. */
export const LAST_HASH_KEY = 2n ** 128n - 1n;

/** A shard as ListShards returns it. */
export interface Shard {
  readonly shardId: string;
  /** None, one (split) or two (merge). Parents that have expired may no longer be listed. */
  readonly parentShardIds: readonly string[];
  readonly hashKeyRange: HashKeyRange;
  readonly startingSequenceNumber: string;
  /** Absent while the shard is open. */
  readonly endingSequenceNumber?: string;
}

/**
 * Whether the shard begins after the number. Numbers grow, also from a stream to a later stream of
 * the same name.
 */
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

/**
 * Sequence numbers of version 2, the only one in use: the version is in the bits from 184, and the
 * shard's number in 32 bits from bit 4.
 */
const VERSION_2 = { versionAt: 184n, version: 2n, shardAt: 4n, shardMask: 2n ** 32n - 1n };

/**
 * Whether the number can belong to this shard, as far as numbers contain their shard.
 *
 * @param known a number of this shard. If it does not contain the shard, other numbers do not
 * either.
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
 * Whether a shard with this id can have been in the stream. Ids count up, and each expired shard
 * has left younger ones. Ids of another form than `shardId-` and 12 digits show nothing.
 */
export function canHaveBeenIn(shards: readonly Shard[], shardId: string): boolean {
  const number = numberOf(shardId);
  const numbers = shards.map((shard) => numberOf(shard.shardId));
  if (numbers.includes(undefined)) return true;
  return number !== undefined && numbers.some((listed) => listed !== undefined && listed >= number);
}

function numberOf(shardId: string): number | undefined {
  const digits = /(?:^|:)shardId-(\d{12})$/.exec(shardId)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A child shard in the last response of a shard that was split or merged. */
export interface ChildShard {
  readonly shardId: string;
  readonly parentShardIds: readonly string[];
  readonly hashKeyRange: HashKeyRange;
}

/** Where an application starts to read a shard without a checkpoint. */
export type InitialPosition =
  | { readonly type: "TRIM_HORIZON" }
  | { readonly type: "LATEST" }
  | { readonly type: "AT_TIMESTAMP"; readonly timestamp: Date };

/**
 * Which shards to list: those open at a time and all later ones; `undefined` = all that exist. At
 * the time of the filter, such a list covers every hash key exactly once.
 */
export type ShardFilter =
  | { readonly type: "AT_TRIM_HORIZON" }
  | { readonly type: "AT_LATEST" }
  | { readonly type: "AT_TIMESTAMP"; readonly timestamp: Date }
  | undefined;
