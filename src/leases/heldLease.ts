// What a consumer may do with a lease that its worker holds. The coordinator makes these and watches over them.

import type { Position } from "../model/position.ts";
import type { ChildShard, HashKeyRange } from "../model/shard.ts";

/** The facts of a lease that a consumer starts from, read afresh from the table. */
export interface LeaseFacts {
  readonly checkpoint: Position;
  readonly parentShardIds: readonly string[];
  /** Absent for leases written by versions that did not note it. */
  readonly hashKeyRange?: HashKeyRange;
}

/** One tenure of a lease: from the moment it was taken until it is lost, released or ended. */
export interface HeldLease {
  readonly shardId: string;
  /** Aborted when the lease is no longer ours, or can no longer be trusted to be. Nothing may be checkpointed after. */
  readonly lost: AbortSignal;
  /** Aborted when the consumer should finish its batch, say goodbye to its child and return. The lease is still held. */
  readonly stopRequested: AbortSignal;
  /** Asks the clock: true while no other worker can have the lease. Once false (and `lost` aborted) it stays so. */
  readonly trusted: boolean;

  /** Reads the lease from the table; `undefined` when its row is gone or it is no longer ours. */
  read(): Promise<LeaseFacts | undefined>;

  /** True when no parent's lease stands in the way: each is missing or has reached SHARD_END. */
  parentsEnded(): Promise<boolean>;

  /**
   * Resolves when asking `parentsEnded` again is worthwhile: as soon as this worker has heard that a parent ended, after
   * `pollMs` at the latest, and at once when the lease is lost or a stop is requested.
   */
  parentsChanged(pollMs: number): Promise<void>;

  /** Counts what a child was given: the leader of a 3.x fleet shares out by it. */
  delivered(bytes: number): void;

  /**
   * Stores the position if the lease is still ours.
   *
   * @returns `"lost"` when another worker has it, or our own trust in it has run out.
   * @throws CheckpointError `ThrottlingException`, `InvalidStateException` (no table) or
   *   `KinesisClientLibDependencyException` (anything else that DynamoDB answered).
   */
  checkpoint(position: Position): Promise<"stored" | "lost">;

  /**
   * Makes the leases of a finished shard's children, and notes them on its own, before SHARD_END is stored.
   *
   * @returns `"later"` when the other parent of a merge is in a state that forbids it for now;
   *   `"lost"` when the lease is gone.
   */
  addChildren(children: readonly ChildShard[]): Promise<"added" | "later" | "lost">;
}

/**
 * Lives as long as the shard is consumed. It returns when the shard ended, the lease was lost or a stop was
 * requested and the child has said goodbye; then the coordinator releases the lease if it is still held.
 * It rejects when the child failed.
 */
export type Consume = (lease: HeldLease) => Promise<void>;
