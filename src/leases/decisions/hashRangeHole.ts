// Do the shards that are being read cover every hash key? In a hole records have no reader.

import { type HashKeyRange, LAST_HASH_KEY } from "../../model/shard.ts";

/** A gap between two ranges: its first and its last hash key. */
export interface HashRangeHole {
  readonly fromHashKey: string;
  readonly toHashKey: string;
}

const EVERYTHING: HashKeyRange = { startingHashKey: "0", endingHashKey: String(LAST_HASH_KEY) };

/**
 * The first gap in the order of hash keys; `undefined` when everything is covered. Ranges may
 * overlap, as those of parents and children do for a while.
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

/** Whether some hash key belongs to both ranges. */
export function overlap(a: HashKeyRange, b: HashKeyRange): boolean {
  const endsBefore = (x: HashKeyRange, y: HashKeyRange) =>
    BigInt(x.endingHashKey) < BigInt(y.startingHashKey);
  return !endsBefore(a, b) && !endsBefore(b, a);
}

function hole(from: bigint, to: bigint): HashRangeHole {
  return { fromHashKey: from.toString(), toHashKey: to.toString() };
}
