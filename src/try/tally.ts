// The counts of a trial, taken from its events, for each shard.

import type { Event } from "../events.ts";
import { comparePositions, type Position } from "../model/position.ts";

export interface ShardTally {
  records: number;
  batches: number;
  bytes: number;
  checkpoints: number;
  /** The positions delivered since the last checkpoint, oldest first. */
  uncheckpointed: Position[];
}

export class Tally {
  readonly shards = new Map<string, ShardTally>();
  /** The time that each batch took, in milliseconds. */
  readonly batchMs: number[] = [];

  /** Call it with the positions of a batch before the batch is delivered. */
  delivering(shardId: string, positions: readonly Position[]): void {
    const { uncheckpointed } = this.#of(shardId);
    for (const position of positions) uncheckpointed.push(position);
  }

  add(event: Event): void {
    switch (event.type) {
      case "childStarted":
      case "attached":
        this.#of(event.shardId);
        break;
      case "batchProcessed": {
        const shard = this.#of(event.shardId);
        shard.records += event.records;
        shard.bytes += event.bytes;
        shard.batches++;
        this.batchMs.push(event.elapsedMs);
        break;
      }
      case "checkpointed": {
        const shard = this.#of(event.shardId);
        shard.checkpoints++;
        shard.uncheckpointed = after(shard.uncheckpointed, event.position);
        break;
      }
    }
  }

  #of(shardId: string): ShardTally {
    const known = this.shards.get(shardId);
    if (known) return known;
    const shard = { records: 0, batches: 0, bytes: 0, checkpoints: 0, uncheckpointed: [] };
    this.shards.set(shardId, shard);
    return shard;
  }
}

function after(positions: readonly Position[], checkpoint: Position): Position[] {
  const first = positions.findIndex((position) => comparePositions(position, checkpoint) > 0);
  return first < 0 ? [] : positions.slice(first);
}

/** The value below which this fraction of the values lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * part)] ?? 0;
}
