// In which order a worker wants free leases. Workers that look at the same time should not want the same ones: each lease
// has an order of workers of its own (rendezvous hashing), and every worker begins with the leases that it comes
// first for. Who sees the same workers comes to the same orders without a word, and when one is gone the others move up.

import type { Lease } from "../lease.ts";

interface Ranked<T> {
  readonly seen: T;
  /** How many others come before this worker in the order of the lease. */
  readonly place: number;
}

/**
 * Of 10,000 free leases and 1,000 workers not every worker's score for every lease is looked at: whoever scores high for
 * a lease has few before him, so these leases come first, and of the others the places are counted only as far as they matter.
 *
 * @param workers all that are known to be alive, `workerId` among them or not.
 * @param number how many are wanted, the first of the order.
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
    // Of two leases in the same place the one with the higher score comes first, and that one was here before.
    const limit = isFull ? (best.at(-1)?.place ?? 0) : others.length + 1;
    const place = countAbove(score, shard, others, limit);
    if (place >= limit) continue;
    if (isFull) best.pop();
    best.splice(firstAfter(best, place), 0, { seen, place });
  }
  return best.map(({ seen }) => seen);
}

/** How many of the workers score higher for the shard; `limit` if there are as many or more. */
function countAbove(score: number, shard: number, workers: readonly number[], limit: number) {
  let count = 0;
  for (const worker of workers) {
    if (count >= limit) break;
    if (mix(worker ^ shard) > score) count++;
  }
  return count;
}

/** Where those begin that come after `place`. */
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

/** Names that differ in one letter come far apart. */
function mix(bits: number): number {
  let state = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
