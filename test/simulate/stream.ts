// A stream: shards that are split and merged, and records that are only counted. Record i of a
// shard has the sequence number `firstSequence + i`.

import type { Position } from "../../src/model/position.ts";
import { parsePosition } from "../../src/model/position.ts";
import type { ChildShard, HashKeyRange, Shard, ShardFilter } from "../../src/model/shard.ts";
import { LAST_HASH_KEY } from "../../src/model/shard.ts";

export interface SimShard {
  readonly shardId: string;
  readonly parents: readonly SimShard[];
  readonly start: bigint;
  readonly end: bigint;
  readonly firstSequence: number;
  readonly openedMs: number;
  closedMs: number | undefined;
  children: readonly SimShard[];
  /** Records before this one were consumed. */
  consumed: number;
}

const SEQUENCES_PER_SHARD = 10_000_000;

export class SimStream {
  readonly shards = new Map<string, SimShard>();
  /** No records are put after this time. */
  putUntilMs = Number.POSITIVE_INFINITY;
  readonly #recordsPerMs: number;

  constructor(shards: number, recordsPerSecond: number) {
    this.#recordsPerMs = recordsPerSecond / 1000;
    const width = (LAST_HASH_KEY + 1n) / BigInt(shards);
    for (let i = 0; i < shards; i++) {
      const last = i === shards - 1;
      this.#add([], width * BigInt(i), last ? LAST_HASH_KEY : width * BigInt(i + 1) - 1n, 0);
    }
  }

  get open(): readonly SimShard[] {
    return [...this.shards.values()].filter(({ closedMs }) => closedMs === undefined);
  }

  split(shard: SimShard, nowMs: number): void {
    const middle = (shard.start + shard.end) / 2n;
    shard.closedMs = nowMs;
    shard.children = [
      this.#add([shard], shard.start, middle, nowMs),
      this.#add([shard], middle + 1n, shard.end, nowMs),
    ];
  }

  /** Merges the shard with its right neighbour, if it has one. */
  merge(left: SimShard, nowMs: number): boolean {
    const right = this.open.find(({ start }) => start === left.end + 1n);
    if (!right) return false;
    const child = this.#add([left, right], left.start, right.end, nowMs);
    for (const parent of [left, right]) {
      parent.closedMs = nowMs;
      parent.children = [child];
    }
    return true;
  }

  /** How many records the shard has at the given time. */
  tip({ openedMs, closedMs }: SimShard, nowMs: number): number {
    const untilMs = Math.min(nowMs, closedMs ?? nowMs, this.putUntilMs);
    return Math.max(0, Math.floor((untilMs - openedMs) * this.#recordsPerMs));
  }

  /** The shard is open, gets no more records, and all its records are done. */
  isOver(shard: SimShard, done: number, nowMs: number): boolean {
    return (
      nowMs > this.putUntilMs && shard.closedMs === undefined && done >= this.tip(shard, nowMs)
    );
  }

  list(filter: ShardFilter): readonly Shard[] {
    const all = [...this.shards.values()];
    if (filter?.type === "AT_TRIM_HORIZON")
      return all.filter((s) => s.parents.length === 0).map(asListed);
    if (filter?.type === "AT_LATEST") return this.open.map(asListed);
    return all.map(asListed);
  }

  #add(parents: readonly SimShard[], start: bigint, end: bigint, nowMs: number): SimShard {
    const number = this.shards.size;
    const shard: SimShard = {
      shardId: `shardId-${String(number).padStart(12, "0")}`,
      parents,
      start,
      end,
      firstSequence: (number + 1) * SEQUENCES_PER_SHARD,
      openedMs: nowMs,
      closedMs: undefined,
      children: [],
      consumed: 0,
    };
    this.shards.set(shard.shardId, shard);
    return shard;
  }
}

/** The first record after a checkpoint. */
export function nextIndex({ firstSequence }: SimShard, { sequenceNumber }: Position): number {
  if (sequenceNumber === "SHARD_END") return Number.POSITIVE_INFINITY;
  if (!/^\d+$/.test(sequenceNumber)) return 0;
  return Number(sequenceNumber) - firstSequence + 1;
}

export function positionOf({ firstSequence }: SimShard, index: number): Position {
  const position = parsePosition(String(firstSequence + index), 0);
  if (!position) throw new Error(`no position for record ${index}`);
  return position;
}

function rangeOf({ start, end }: SimShard): HashKeyRange {
  return { startingHashKey: String(start), endingHashKey: String(end) };
}

export function asChild(shard: SimShard): ChildShard {
  const parentShardIds = shard.parents.map(({ shardId }) => shardId);
  return { shardId: shard.shardId, parentShardIds, hashKeyRange: rangeOf(shard) };
}

function asListed(shard: SimShard): Shard {
  const { firstSequence, closedMs } = shard;
  return {
    ...asChild(shard),
    startingSequenceNumber: String(firstSequence),
    ...(closedMs !== undefined && {
      endingSequenceNumber: String(firstSequence + SEQUENCES_PER_SHARD - 1),
    }),
  };
}
