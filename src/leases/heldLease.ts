// What a consumer may do with a lease that its worker holds. The coordinator creates these.

import type { Position } from "../model/position.ts";
import type { ChildShard, HashKeyRange } from "../model/shard.ts";

/** The facts that a consumer starts from, just read from the table. */
export interface LeaseFacts {
  readonly checkpoint: Position;
  readonly parentShardIds: readonly string[];
  /** Absent in leases of KCL versions that did not store it. */
  readonly hashKeyRange?: HashKeyRange;
}

/** One tenure of a lease: from the moment it was taken until it is lost, released or ended. */
export interface HeldLease {
  readonly shardId: string;
  /**
   * Aborted when the lease is no longer ours, or when that is no longer certain. After that nothing
   * may be checkpointed.
   */
  readonly lost: AbortSignal;
  /**
   * Aborted when the consumer should finish its batch, shut its child down and return. The lease is
   * still held at that time.
   */
  readonly stopRequested: AbortSignal;
  /**
   * Checks the clock: true while no other worker can have the lease. After it was false once, it
   * stays false and `lost` is aborted.
   */
  readonly trusted: boolean;

  /** Reads the lease from the table; `undefined` when its row is gone or it is no longer ours. */
  read(): Promise<LeaseFacts | undefined>;

  /** True when each parent's lease is missing or has reached SHARD_END. */
  parentsEnded(): Promise<boolean>;

  /**
   * Resolves when `parentsEnded` may have changed: when this worker learns that a parent ended,
   * after `pollMs` at the latest, and at once when the lease is lost or a stop is requested.
   */
  parentsChanged(pollMs: number): Promise<void>;

  /** Counts the bytes delivered to a child: the leader of a 3.x fleet assigns by throughput. */
  delivered(bytes: number): void;

  /**
   * Stores the position if the lease is still ours. A failing write is retried for up to 10 s
   * (holding/storeCheckpoint.ts): callers need not retry.
   *
   * @returns `"lost"` when another worker has the lease, or this worker's trust in it has run out.
   * @throws CheckpointError `ThrottlingException`, `InvalidStateException` (no table) or
   *   `KinesisClientLibDependencyException` (any other failure of DynamoDB).
   */
  checkpoint(position: Position): Promise<"stored" | "lost">;

  /**
   * Creates the leases of a finished shard's children, and stores their ids in its own lease. Call
   * this before SHARD_END is stored.
   *
   * @returns `"later"` when the state of the other parent of a merge does not allow it yet;
   *   `"lost"` when the lease is gone.
   */
  addChildren(children: readonly ChildShard[]): Promise<"added" | "later" | "lost">;
}

/**
 * Runs as long as the shard is consumed. It returns when the shard has ended, the lease was lost,
 * or a stop was requested and the child has shut down; then the coordinator releases the lease if
 * it is still held. It rejects when the child failed.
 */
export type Consume = (lease: HeldLease) => Promise<void>;
