// A row of the lease table as far as a listener may want to show it.

import type { Position } from "../position.ts";

export interface SeenLease {
  readonly shardId: string;
  /** Raised by every write of the lease's holder. */
  readonly counter: number;
  readonly owner?: string;
  /** During a handover of KCL 3.x: the worker that still processes the shard. */
  readonly checkpointOwner?: string;
  readonly checkpoint: Position;
  readonly parentShardIds: readonly string[];
}
