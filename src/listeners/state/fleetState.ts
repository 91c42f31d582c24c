// What the last reads of the lease table showed of the whole fleet: who holds which shard, and
// which workers renew their leases.

import type { SeenLease } from "../../model/events/seenLease.ts";

export interface KnownLease {
  readonly lease: SeenLease;
  /** When a write of its holder was last seen, or when the lease was first seen. */
  readonly changedMs: number;
}

export interface KnownWorker {
  readonly workerId: string;
  readonly leases: number;
  /** When it was last seen to write. */
  readonly seenMs: number;
}

/** Workers without a lease that are still remembered, and for how long. */
const FORMER_WORKERS = 50;
const FORMER_MS = 15 * 60_000;

export class FleetState {
  #leases: ReadonlyMap<string, KnownLease> = new Map();
  #workers: readonly KnownWorker[] = [];
  #seenMs: number | undefined;

  get leases(): ReadonlyMap<string, KnownLease> {
    return this.#leases;
  }

  /** Holders of leases first, then former holders. */
  get workers(): readonly KnownWorker[] {
    return this.#workers;
  }

  /** When the table was read. */
  get seenMs(): number | undefined {
    return this.#seenMs;
  }

  saw(leases: readonly SeenLease[], nowMs: number): void {
    this.#leases = new Map(
      leases.map((lease): [string, KnownLease] => {
        const known = this.#leases.get(lease.shardId);
        const isSame = known?.lease.counter === lease.counter && known.lease.owner === lease.owner;
        return [lease.shardId, { lease, changedMs: isSame ? known.changedMs : nowMs }];
      }),
    );
    this.#workers = workersOf([...this.#leases.values()], this.#workers, nowMs);
    this.#seenMs = nowMs;
  }

  deleted(shardId: string): void {
    this.#leases = new Map([...this.#leases].filter(([id]) => id !== shardId));
  }
}

/** The worker that processes the shard. */
export function holderOf({ owner, checkpointOwner }: SeenLease): string | undefined {
  return checkpointOwner ?? owner;
}

export function isEnded({ checkpoint }: SeenLease): boolean {
  return checkpoint.sequenceNumber === "SHARD_END";
}

function workersOf(
  leases: readonly KnownLease[],
  before: readonly KnownWorker[],
  nowMs: number,
): readonly KnownWorker[] {
  const now = new Map<string, KnownWorker>();
  for (const { lease, changedMs } of leases) {
    const workerId = holderOf(lease);
    if (workerId === undefined || isEnded(lease)) continue;
    const { leases: count = 0, seenMs = 0 } = now.get(workerId) ?? {};
    now.set(workerId, { workerId, leases: count + 1, seenMs: Math.max(seenMs, changedMs) });
  }
  const former = before
    .filter(({ workerId, seenMs }) => !now.has(workerId) && nowMs - seenMs < FORMER_MS)
    .map((worker) => ({ ...worker, leases: 0 }))
    .slice(0, FORMER_WORKERS);
  const byId = (a: KnownWorker, b: KnownWorker) => (a.workerId < b.workerId ? -1 : 1);
  return [...[...now.values()].sort(byId), ...former];
}
