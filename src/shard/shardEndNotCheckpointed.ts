// A processor that answered the end of its shard without a checkpoint: its children would wait for ever.

import { formatPosition, type Position } from "../model/position.ts";

export class ShardEndNotCheckpointed extends Error {
  override readonly name = "ShardEndNotCheckpointed";

  readonly shardId: string;
  /** The name of the message that it answered. */
  readonly answered: string;

  constructor(shardId: string, stored: Position, answered: string) {
    super(
      `${shardId}: the processor answered "${answered}" without a checkpoint. Its last one is ${formatPosition(stored)}. ` +
        "The shard cannot be finished, and its children cannot begin, until it calls checkpoint without arguments there.",
    );
    this.shardId = shardId;
    this.answered = answered;
  }
}
