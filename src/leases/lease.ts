// The lease as a value: one row of the lease table, free of how the table writes it down.

import type { Position, Sentinel } from "../model/position.ts";
import type { HashKeyRange, InitialPosition } from "../model/shard.ts";

export interface Lease {
  /** The row's key: the shard id. */
  readonly shardId: string;
  /** Version and heartbeat: one more with every take, renewal, checkpoint and release. The fencing token. */
  readonly counter: number;
  /** Worker id; absent = nobody. During a handover of KCL 3.x the *next* owner. */
  readonly owner?: string;
  /** Only during a handover of KCL 3.x: the worker that still processes the shard. */
  readonly checkpointOwner?: string;
  /** The worker that has asked the owner for the lease (handover.ts). */
  readonly handoverTo?: string;
  /** The owner that has heard of it, and will give the lease over when it has finished. */
  readonly handoverFrom?: string;
  readonly checkpoint: Position;
  readonly ownerSwitchesSinceCheckpoint: number;
  readonly parentShardIds: readonly string[];
  /** Empty until the end of the shard was seen. */
  readonly childShardIds: readonly string[];
  /** Absent in rows of versions that did not note it. */
  readonly hashKeyRange?: HashKeyRange;
}

/** What a new lease begins with. */
export interface NewLease {
  readonly shardId: string;
  readonly checkpoint: Position;
  readonly parentShardIds: readonly string[];
  readonly hashKeyRange?: HashKeyRange;
}

/** A row that is made again counts on from so far above where it was, so that no writer of its earlier life fits in. */
export const COUNTER_LEAP = 1_000;

/** True when the shard was processed to its end: the lease waits for cleanup, nobody consumes it. */
export function hasEnded({ checkpoint }: Pick<Lease, "checkpoint">): boolean {
  return checkpoint.sequenceNumber === "SHARD_END";
}

/** A child waits until each parent's lease has ended or is gone. */
export function standsInTheWay(parent: Lease | undefined): boolean {
  return parent !== undefined && !hasEnded(parent);
}

/** Who processes the shard now, as far as the row says. */
export function actualOwner(lease: Pick<Lease, "owner" | "checkpointOwner">): string | undefined {
  return lease.checkpointOwner ?? lease.owner;
}

/** Who gets the lease when the worker that processes the shard has finished; `undefined` when it is to stay. */
export function nextOwner(
  lease: Pick<Lease, "owner" | "checkpointOwner" | "handoverTo">,
): string | undefined {
  return lease.checkpointOwner === undefined ? lease.handoverTo : lease.owner;
}

/** The word that a lease without a checkpoint carries. The timestamp of AT_TIMESTAMP stays in the configuration. */
export function initialCheckpoint({ type }: InitialPosition): Position {
  return sentinel(type);
}

export function sentinel(word: Sentinel): Position {
  return { sequenceNumber: word, subSequenceNumber: 0 };
}
