// A lease in memory, so that a processor can be tried without a lease table. What other workers
// would do to it (take it, request it) is done by the methods of this class.

import type { HeldLease, LeaseFacts } from "../leases/heldLease.ts";
import type { Position } from "../model/position.ts";
import { sharedController } from "../signals.ts";

export class MemoryLease implements HeldLease {
  readonly shardId: string;
  readonly #lost = sharedController();
  readonly #stop = sharedController();
  #checkpoint: Position;

  constructor(shardId: string, checkpoint: Position) {
    this.shardId = shardId;
    this.#checkpoint = checkpoint;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get stopRequested(): AbortSignal {
    return this.#stop.signal;
  }

  get trusted(): boolean {
    return !this.#lost.signal.aborted;
  }

  /** The checkpoint that a lease table would contain. */
  get stored(): Position {
    return this.#checkpoint;
  }

  /** As if another worker had taken the lease. */
  lose(): void {
    this.#lost.abort();
  }

  /** As if the worker were requested to stop. */
  requestStop(): void {
    this.#stop.abort();
  }

  async read(): Promise<LeaseFacts> {
    return { checkpoint: this.#checkpoint, parentShardIds: [] };
  }

  async parentsEnded(): Promise<boolean> {
    return true;
  }

  async parentsChanged(): Promise<void> {}

  delivered(): void {}

  async checkpoint(position: Position): Promise<"stored" | "lost"> {
    if (!this.trusted) return "lost";
    this.#checkpoint = position;
    return "stored";
  }

  async addChildren(): Promise<"added"> {
    return "added";
  }
}
