// The lease as a value: one row of the lease table, independent of how the table stores it.

import type { Position, Sentinel } from "../model/position.ts";
import type { HashKeyRange, InitialPosition } from "../model/shard.ts";

export interface Lease {
  /** The row's key: the shard id. */
  readonly shardId: string;
  /**
   * Version, heartbeat and fencing token: every take, renewal, checkpoint and release raises it by
   * one.
   */
  readonly counter: number;
  /** Worker id; absent when nobody owns it. During a handover of KCL 3.x the *next* owner. */
  readonly owner?: string;
  /** Only during a handover of KCL 3.x: the worker that still processes the shard. */
  readonly checkpointOwner?: string;
  /** The worker that has requested the lease from its owner (holding/handover.ts). */
  readonly handoverTo?: string;
  /** The owner that has acknowledged the request and hands the lease over when it has finished. */
  readonly handoverFrom?: string;
  readonly checkpoint: Position;
  readonly ownerSwitchesSinceCheckpoint: number;
  readonly parentShardIds: readonly string[];
  /** Empty until the end of the shard was read. */
  readonly childShardIds: readonly string[];
  /** Absent in rows of KCL versions that did not store it. */
  readonly hashKeyRange?: HashKeyRange;
}

/** The content of a new lease. */
export interface NewLease {
  readonly shardId: string;
  readonly checkpoint: Position;
  readonly parentShardIds: readonly string[];
  readonly hashKeyRange?: HashKeyRange;
}

/**
 * Added to the counter of a row that is created again, so that a delayed conditional write to the
 * deleted row cannot match the new one.
 */
export const COUNTER_LEAP = 1_000;

/**
 * True when the shard was processed to its end: nobody consumes it, and cleanup deletes the lease.
 */
export function hasEnded({ checkpoint }: Pick<Lease, "checkpoint">): boolean {
  return checkpoint.sequenceNumber === "SHARD_END";
}

/** A child waits for its parent while this is true: the parent's lease exists and has not ended. */
export function blocksChildren(parent: Lease | undefined): boolean {
  return parent !== undefined && !hasEnded(parent);
}

/** The worker that processes the shard now, according to the row. */
export function actualOwner(lease: Pick<Lease, "owner" | "checkpointOwner">): string | undefined {
  return lease.checkpointOwner ?? lease.owner;
}

/**
 * The worker that gets the lease when the current one has finished; `undefined` when no handover is
 * under way.
 */
export function nextOwner(
  lease: Pick<Lease, "owner" | "checkpointOwner" | "handoverTo">,
): string | undefined {
  return lease.checkpointOwner === undefined ? lease.handoverTo : lease.owner;
}

/**
 * The checkpoint of a lease that has none yet. The timestamp of AT_TIMESTAMP stays in the
 * configuration.
 */
export function initialCheckpoint({ type }: InitialPosition): Position {
  return sentinel(type);
}

export function sentinel(word: Sentinel): Position {
  return { sequenceNumber: word, subSequenceNumber: 0 };
}
