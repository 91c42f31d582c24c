// What is true now, for the metrics that have a present value: how far each shard is behind, what
// each child uses, how the leases are shared. A shard that this worker no longer reads has none.

import type { Event } from "../../events.ts";

type Of<Type extends Event["type"]> = Extract<Event, { readonly type: Type }>;

export class Present {
  /** By shard. */
  readonly lagMs = new Map<string, number>();
  /** By shard. */
  readonly children = new Map<string, Of<"childSampled">>();
  daemon: Of<"daemonSampled"> | undefined;
  balance: Of<"leaseBalance"> | undefined;
  isReady = false;

  saw(event: Event): void {
    switch (event.type) {
      case "fetched":
      case "batchSent":
        if (event.millisBehindLatest !== undefined) {
          this.lagMs.set(event.shardId, event.millisBehindLatest);
        }
        return;
      case "leaseLost":
      case "leaseReleased":
        this.lagMs.delete(event.shardId);
        this.children.delete(event.shardId);
        return;
      case "childSampled":
        this.children.set(event.shardId, event);
        return;
      case "childExited":
        this.children.delete(event.shardId);
        return;
      case "daemonSampled":
        this.daemon = event;
        return;
      case "leaseBalance":
        this.balance = event;
        return;
      case "daemonReady":
        this.isReady = true;
        return;
      case "drained":
      case "stopRequested":
        this.isReady = false;
    }
  }
}
