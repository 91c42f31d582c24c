// Do the shards that are being read cover every hash key? A hole means that some records have no reader.

import type { HashKeyRange } from "../model/shard.ts";

/** The last hash key there is: 2^128 − 1 (Kinesis hashes partition keys with MD5). */
export const LAST_HASH_KEY = 2n ** 128n - 1n;

/** The hash keys between two neighbours that nobody holds: what lies before and behind it, for comparing holes. */
export interface HashRangeHole {
  readonly fromHashKey: string;
  readonly toHashKey: string;
}

/**
 * The first gap, in the order of hash keys; overlaps are no fault (parents and children for a while).
 * `undefined` when everything is covered.
 */
export function findHole(ranges: readonly HashKeyRange[]): HashRangeHole | undefined {
  const sorted = ranges
    .map((range) => ({ start: BigInt(range.startingHashKey), end: BigInt(range.endingHashKey) }))
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  let next = 0n;
  for (const { start, end } of sorted) {
    if (start > next) return hole(next, start - 1n);
    if (end >= next) next = end + 1n;
  }
  return next > LAST_HASH_KEY ? undefined : hole(next, LAST_HASH_KEY);
}

function hole(from: bigint, to: bigint): HashRangeHole {
  return { fromHashKey: from.toString(), toHashKey: to.toString() };
}
