// In which order a worker takes free leases. Workers that look at the same time should not choose
// the same ones. So each lease ranks the workers in its own order (rendezvous hashing), and every
// worker starts with the leases that rank it first. Workers that see the same fleet compute the
// same orders without communication. When a worker is gone, the others move up.

import type { Lease } from "../lease.ts";

interface Ranked<T> {
  readonly seen: T;
  /** How many other workers the lease ranks before this one. */
  readonly place: number;
}

/**
 * The first leases of the order. With 10,000 free leases and 1,000 workers it would be slow to
 * compute every worker's score for every lease. A high score means that few workers rank before
 * this one. So leases with high scores are ranked first, and the places of the others are counted
 * only as far as they matter.
 *
 * @param workers the workers known to be alive, with or without `workerId`.
 * @param number how many leases to return.
 */
export function byPreference<T extends { readonly lease: Lease }>(
  free: readonly T[],
  workerId: string,
  workers: Iterable<string>,
  number = free.length,
): readonly T[] {
  if (number <= 0) return [];
  const mine = hash(workerId);
  const others = [...workers].filter((worker) => worker !== workerId).map(hash);
  const scored = free
    .map((seen) => {
      const shard = hash(seen.lease.shardId);
      return { seen, shard, score: mix(mine ^ shard) };
    })
    .sort((a, b) => b.score - a.score);
  const best: Ranked<T>[] = [];
  for (const { seen, shard, score } of scored) {
    const isFull = best.length >= number;
    // Of two leases with the same place the one with the higher score comes first. It was already
    // inserted, because leases are visited by falling score.
    const limit = isFull ? (best.at(-1)?.place ?? 0) : others.length + 1;
    const place = countAbove(score, shard, others, limit);
    if (place >= limit) continue;
    if (isFull) best.pop();
    best.splice(firstAfter(best, place), 0, { seen, place });
  }
  return best.map(({ seen }) => seen);
}

/** How many of the workers score higher for the shard, but at most `limit`. */
function countAbove(score: number, shard: number, workers: readonly number[], limit: number) {
  let count = 0;
  for (const worker of workers) {
    if (count >= limit) break;
    if (mix(worker ^ shard) > score) count++;
  }
  return count;
}

/** The first index whose place is greater than `place`. */
function firstAfter(ranked: readonly Ranked<unknown>[], place: number): number {
  let low = 0;
  let high = ranked.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranked[middle]?.place ?? 0) > place) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** FNV-1a. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  }
  return mix(state);
}

/** Spreads the hashes of names that differ in one letter. */
function mix(bits: number): number {
  let state = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
