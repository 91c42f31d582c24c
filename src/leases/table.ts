// The port to the lease table: reads, and writes that succeed only if nobody wrote before. A lost
// race is a return value. A failure of the service is a LeaseTableError, whose reason says whether
// the write may have happened all the same.

import type { Position } from "../model/position.ts";
import type { HashKeyRange } from "../model/shard.ts";
import type { FleetRow } from "./fleetRow.ts";
import type { Lease, NewLease } from "./lease.ts";
import type { KeyMode } from "./leaseKey.ts";

/**
 * `"conflict"`: the row was not as expected (another counter, a handover started or requested, or
 * the row is gone), and nothing was written.
 */
export type WriteResult = "written" | "conflict";

export type TableFailure =
  /** The service limits the rate; nothing was written. */
  | "throttled"
  /** The table does not exist (any more). */
  | "tableMissing"
  /** No permission, or no valid credentials; nothing was written. */
  | "denied"
  /** The row is not a lease: it was edited by hand, or damaged. */
  | "unreadable"
  /** No response, or a failure inside the service: a write may have happened. */
  | "unavailable";

export class LeaseTableError extends Error {
  override readonly name = "LeaseTableError";
  readonly reason: TableFailure;

  constructor(reason: TableFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

export interface Scan {
  readonly leases: readonly Lease[];
  /** Rows that are not leases and that carry no other type. */
  readonly unreadable: readonly UnreadableRow[];
  /** The rows that a fleet of KCL 3.5 keeps in the same table. */
  readonly fleet: readonly FleetRow[];
}

export interface UnreadableRow {
  /** The row's key; "" when it has none. */
  readonly shardId: string;
  readonly error: LeaseTableError;
  /** Present when the row is the lease of an application that reads in this other mode. */
  readonly mode?: KeyMode;
}

/**
 * Each call is one attempt, ended early by the signal; the caller retries. All calls reject with
 * LeaseTableError. Every write preserves attributes that this program does not know.
 */
export interface LeaseTable {
  readonly tableName: string;

  /**
   * Creates the table if it is missing and resolves when it can be used.
   *
   * @param beforeCreate awaited before a missing table is created; if it rejects, none is created.
   * @throws UserError when a table of this name is not a lease table, or when access is denied.
   */
  ensure(
    signal: AbortSignal,
    beforeCreate?: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<"created" | "existed">;

  /** All rows; eventually consistent. */
  scan(signal: AbortSignal): Promise<Scan>;

  /** One lease; strongly consistent. */
  read(shardId: string, signal: AbortSignal): Promise<Lease | undefined>;

  /** Creates a lease without owner, with counter 0. */
  create(lease: NewLease, signal: AbortSignal): Promise<"created" | "exists">;

  /** Creates the row of a lease again after somebody deleted it, without owner. */
  putBack(lease: Lease, signal: AbortSignal): Promise<"created" | "exists">;

  /** Makes `workerId` the owner of the lease as it was read. */
  take(lease: Lease, workerId: string, signal: AbortSignal): Promise<WriteResult>;

  /** @param throughputKBps of the shard, in KiB/s; stored for the leader of a 3.x fleet. */
  renew(lease: Lease, signal: AbortSignal, throughputKBps?: number): Promise<WriteResult>;

  checkpoint(lease: Lease, position: Position, signal: AbortSignal): Promise<WriteResult>;

  /** Removes the owner, so that other workers need not wait until the lease expires. */
  release(lease: Lease, signal: AbortSignal): Promise<WriteResult>;

  /** Gives the lease to `nextOwner(lease)`, if that worker still waits for it. */
  handOver(lease: Lease, signal: AbortSignal): Promise<WriteResult>;

  /**
   * Asks the owner of the lease as it was read to hand it over to `workerId`. Changes neither
   * counter nor owner.
   */
  requestHandover(lease: Lease, workerId: string, signal: AbortSignal): Promise<WriteResult>;

  /** Withdraws the request of `workerId`. Changes neither counter nor owner. */
  withdrawRequest(shardId: string, workerId: string, signal: AbortSignal): Promise<WriteResult>;

  /** Changes neither counter nor owner. */
  noteChildren(
    shardId: string,
    childShardIds: readonly string[],
    signal: AbortSignal,
  ): Promise<WriteResult>;

  /** Changes neither counter nor owner. */
  noteHashKeyRange(shardId: string, range: HashKeyRange, signal: AbortSignal): Promise<WriteResult>;

  /** Deletes an ended lease if it has not changed since it was read. */
  delete(lease: Lease, signal: AbortSignal): Promise<WriteResult>;
}
