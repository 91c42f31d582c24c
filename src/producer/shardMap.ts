// Which shard a hash key belongs to: the open shards, sorted by the end of their ranges. It also
// remembers the ranges of shards that were closed, because a response may still name one.

import type { HashKeyRange } from "../model/shard.ts";
import { wordsOfHashKey } from "../records/kpl/hashKey.ts";

export interface OpenShard {
  readonly shardId: string;
  readonly hashKeyRange: HashKeyRange;
}

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** Enough for the largest streams and some reshardings. */
const MAX_REMEMBERED = 20_000;

export class ShardMap {
  /** Sorted by the end of the range. */
  readonly shardIds: readonly string[];
  /** Four words for each shard: the end of its range. */
  readonly #ends: Uint32Array;
  readonly #ranges: ReadonlyMap<string, Range>;

  /** @param before whose ranges are remembered. */
  constructor(open: readonly OpenShard[], before?: ShardMap) {
    const ranges = open.map(({ shardId, hashKeyRange }) => ({
      shardId,
      first: BigInt(hashKeyRange.startingHashKey),
      last: BigInt(hashKeyRange.endingHashKey),
    }));
    ranges.sort((a, b) => (a.last < b.last ? -1 : a.last > b.last ? 1 : 0));
    this.shardIds = ranges.map(({ shardId }) => shardId);
    this.#ends = new Uint32Array(4 * ranges.length);
    ranges.forEach(({ last }, index) => {
      wordsOfHashKey(last, this.#ends.subarray(4 * index, 4 * index + 4));
    });
    const now = ranges.map(({ shardId, ...range }): [string, Range] => [shardId, range]);
    const remembered = [...(before?.remembered() ?? [])].slice(-MAX_REMEMBERED);
    this.#ranges = new Map([...remembered, ...now]);
  }

  remembered(): Iterable<[string, Range]> {
    return this.#ranges;
  }

  /** The index in `shardIds` of the shard that holds a hash key. */
  indexOf(words: Uint32Array): number {
    let low = 0;
    let high = this.shardIds.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#endsBefore(middle, words)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  knows(shardId: string): boolean {
    return this.#ranges.has(shardId);
  }

  /** Whether the shard, open or closed, holds the hash key. */
  holds(shardId: string, hashKey: bigint): boolean {
    const range = this.#ranges.get(shardId);
    return range !== undefined && hashKey >= range.first && hashKey <= range.last;
  }

  /**
   * Whether both have the same open shards. An id has another range only in a new stream of the
   * same name.
   */
  isSameAs(other: ShardMap): boolean {
    return (
      this.shardIds.length === other.shardIds.length &&
      this.shardIds.every((id, index) => id === other.shardIds[index]) &&
      this.#ends.every((word, index) => word === other.#ends[index])
    );
  }

  /** Whether a shard is open in both, with the same range. */
  keeps(shardId: string, before: ShardMap): boolean {
    if (!this.shardIds.includes(shardId)) return false;
    const [here, there] = [this.#ranges.get(shardId), before.#ranges.get(shardId)];
    return here?.first === there?.first && here?.last === there?.last;
  }

  #endsBefore(index: number, words: Uint32Array): boolean {
    for (let word = 0; word < 4; word += 1) {
      const [end, key] = [this.#ends[4 * index + word] ?? 0, words[word] ?? 0];
      if (end !== key) return end < key;
    }
    return false;
  }
}
