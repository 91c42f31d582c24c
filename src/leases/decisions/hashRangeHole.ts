// Do the shards that are being read cover every hash key? A hole means that some records have no reader.

import { type HashKeyRange, LAST_HASH_KEY } from "../../model/shard.ts";

/** The hash keys between two neighbours that nobody holds: what lies before and behind it, for comparing holes. */
export interface HashRangeHole {
  readonly fromHashKey: string;
  readonly toHashKey: string;
}

const EVERYTHING: HashKeyRange = { startingHashKey: "0", endingHashKey: String(LAST_HASH_KEY) };

/**
 * The first gap, in the order of hash keys; overlaps are no fault (parents and children for a while).
 * `undefined` when everything is covered.
 */
export function findHole(
  ranges: readonly HashKeyRange[],
  whole: HashKeyRange = EVERYTHING,
): HashRangeHole | undefined {
  const sorted = ranges
    .map((range) => ({ start: BigInt(range.startingHashKey), end: BigInt(range.endingHashKey) }))
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
  const last = BigInt(whole.endingHashKey);
  let next = BigInt(whole.startingHashKey);
  for (const { start, end } of sorted) {
    if (start > next) break;
    if (end >= next) next = end + 1n;
  }
  const following = sorted.find(({ start }) => start > next);
  const end = following && following.start <= last ? following.start - 1n : last;
  return next > last ? undefined : hole(next, end);
}

/** Whether any hash key belongs to both. */
export function overlap(a: HashKeyRange, b: HashKeyRange): boolean {
  const endsBefore = (x: HashKeyRange, y: HashKeyRange) =>
    BigInt(x.endingHashKey) < BigInt(y.startingHashKey);
  return !endsBefore(a, b) && !endsBefore(b, a);
}

function hole(from: bigint, to: bigint): HashRangeHole {
  return { fromHashKey: from.toString(), toHashKey: to.toString() };
}
