// Events of the leases and of the coordination between workers.

import type { Position } from "../position.ts";
import type { SeenLease } from "./seenLease.ts";

/**
 * Why a worker took a lease: it had no owner (`unowned`); its owner stopped renewing it
 * (`expired`); a worker with more leases lost it (`stolen`, from KCL 2.x) or handed it over
 * (`handedOver`); the leader of a 3.x fleet assigned it (`assigned`); or the worker owned it before
 * (`resumed`).
 */
export type TakenHow = "unowned" | "expired" | "stolen" | "handedOver" | "assigned" | "resumed";

export type LeaseEvent =
  | { readonly type: "leaseTableCreated"; readonly tableName: string }
  /**
   * The whole table was read, and this worker has taken what it wanted. `rows` is a function, so
   * that the rows cost nothing where no listener wants them, and a log line does not repeat them.
   */
  | {
      readonly type: "leasesSeen";
      readonly leases: number;
      readonly rows: () => readonly SeenLease[];
    }
  | { readonly type: "leaseCreated"; readonly shardId: string; readonly checkpoint: Position }
  | {
      readonly type: "leaseTaken";
      readonly shardId: string;
      readonly how: TakenHow;
      readonly from?: string;
    }
  | { readonly type: "leaseRenewed"; readonly shardId: string }
  | { readonly type: "leaseLost"; readonly shardId: string; readonly reason: string }
  /** `to`: the worker to which the lease was handed over. */
  | { readonly type: "leaseReleased"; readonly shardId: string; readonly to?: string }
  /**
   * Another worker requested the lease. It is handed over after the child has finished its batch.
   */
  | { readonly type: "handoverRequested"; readonly shardId: string; readonly to: string }
  | { readonly type: "leaseDeleted"; readonly shardId: string; readonly reason: string }
  /** No worker reads these shards, and this one already holds `maxLeasesForWorker` leases. */
  | {
      readonly type: "leasesBeyondLimit";
      readonly shardIds: readonly string[];
      readonly maxLeasesForWorker: number;
    }
  /** How the leases are shared, as this worker saw it in its last scan of the table. */
  | {
      readonly type: "leaseBalance";
      /** Leases that this worker holds. */
      readonly held: number;
      /** Leases that it should hold; `undefined` where a leader decides. */
      readonly target: number | undefined;
      /** Leases of its fair share that `maxLeasesForWorker` excludes. */
      readonly spillover: number;
      /** Live workers, this one included. */
      readonly workers: number;
      /** Leases of shards that have not ended. */
      readonly leases: number;
      /** Leases that have an owner, but one that has stopped renewing them. */
      readonly expired: number;
      /** Leases without a living owner. */
      readonly unowned: number;
      /** Expired leases that no worker has taken for a long time. */
      readonly neglected: number;
      /** Leases that this worker tries to take now. */
      readonly taking: number;
    }
  /** Rows of the lease table cannot be read, or contradict the stream as it is now. */
  | {
      readonly type: "leasesContradicted";
      readonly shardIds: readonly string[];
      readonly message: string;
    }
  /** The table has leases of a stream that the application does not read. */
  | { readonly type: "otherStreamSeen"; readonly streamId: string; readonly leases: number }
  /** The audit found hash keys that no lease covers, and could not create a lease for them. */
  | {
      readonly type: "shardsUnread";
      /** Empty: the stream lists no open shard for these hash keys. */
      readonly shardIds: readonly string[];
      readonly fromHashKey: string;
      readonly toHashKey: string;
    }
  /** How leases are distributed: reported at the start and at each change. */
  | {
      readonly type: "fleetModeChosen";
      readonly version: "2x" | "3x";
      /** A Java worker leads a fleet of KCL 3.x. */
      readonly led: boolean;
      readonly found: string;
    }
  /**
   * How this worker finds the leases that a leader assigns to it: reported at the start and at each
   * change. `why`: the reason why it does not use the index.
   */
  | { readonly type: "discoveryChosen"; readonly by: "index" | "scan"; readonly why?: string }
  | { readonly type: "shardsSynced"; readonly shards: number; readonly created: number };
