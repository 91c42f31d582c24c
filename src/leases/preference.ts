// In which order a worker wants free leases. Workers that look at the same time should not want the same ones: each lease
// has an order of workers of its own (rendezvous hashing), and every worker begins with the leases that it comes
// first for. Who sees the same workers comes to the same orders without a word, and when one is gone the others move up.

import type { Lease } from "./lease.ts";

/** @param workers all that are known to be alive, `workerId` among them or not. */
export function byPreference<T extends { readonly lease: Lease }>(
  free: readonly T[],
  workerId: string,
  workers: Iterable<string>,
): readonly T[] {
  const mine = hash(workerId);
  const others = [...workers].filter((worker) => worker !== workerId).map(hash);
  return free
    .map((seen) => {
      const shard = hash(seen.lease.shardId);
      const score = mix(mine ^ shard);
      const place = others.reduce((sum, other) => sum + Number(mix(other ^ shard) > score), 0);
      return { seen, score, place };
    })
    .sort((a, b) => a.place - b.place || b.score - a.score)
    .map(({ seen }) => seen);
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
