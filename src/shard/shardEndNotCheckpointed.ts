// A processor that answered `shardEnded` without a checkpoint: its children would wait for ever.

import { formatPosition, type Position } from "../model/position.ts";

export class ShardEndNotCheckpointed extends Error {
  override readonly name = "ShardEndNotCheckpointed";

  readonly shardId: string;

  constructor(shardId: string, stored: Position) {
    super(
      `${shardId}: the processor answered "shardEnded" without a checkpoint. Its last one is ${formatPosition(stored)}. ` +
        "The shard cannot be finished, and its children cannot begin, until it calls checkpoint without arguments there.",
    );
    this.shardId = shardId;
  }
}
