// What is true now, for the metrics that have a present value: how far each shard is behind, what
// each child uses, how the leases are shared. A shard that this worker no longer reads has none.

import type { Event, Origin } from "../../events.ts";

type Of<Type extends Event["type"]> = Extract<Event, { readonly type: Type }>;

export class Present {
  /** By shard. */
  readonly lagMs = new Map<string, number>();
  /** By pid. */
  readonly children = new Map<number, Of<"childSampled"> & Origin>();
  daemon: Of<"daemonSampled"> | undefined;
  balance: Of<"leaseBalance"> | undefined;
  isReady = false;

  saw(event: Event & Origin): void {
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
        for (const [pid, { shardId }] of this.children) {
          if (shardId === event.shardId) this.children.delete(pid);
        }
        return;
      case "childSampled":
        this.children.set(event.pid, event);
        return;
      case "childExited":
        this.children.delete(event.pid);
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
