// The port to the lease table: reads, and writes that happen only if nobody wrote before. A lost race is a value;
// trouble with the service is a LeaseTableError that says whether the write may have happened all the same.

import type { Position } from "../model/position.ts";
import type { HashKeyRange } from "../model/shard.ts";
import type { FleetRow } from "./kcl3/fleetRows.ts";
import type { Lease, NewLease } from "./lease.ts";

/** `"conflict"`: the row was not as expected (another counter, a handover begun or asked for, or gone); nothing was written. */
export type WriteResult = "written" | "conflict";

export type TableTrouble =
  /** The service asks for patience; nothing was written. */
  | "throttled"
  /** There is no such table (any more). */
  | "tableMissing"
  /** No permission, or no valid credentials; nothing was written. */
  | "denied"
  /** The row is not a lease: edited by hand, or damaged. */
  | "unreadable"
  /** No answer or a failure inside the service: a write may have happened. */
  | "unavailable";

export class LeaseTableError extends Error {
  override readonly name = "LeaseTableError";
  readonly trouble: TableTrouble;

  constructor(trouble: TableTrouble, message: string, options?: ErrorOptions) {
    super(message, options);
    this.trouble = trouble;
  }
}

export interface Scan {
  readonly leases: readonly Lease[];
  /** Rows that are no leases and do not say that they are something else. */
  readonly unreadable: readonly UnreadableRow[];
  /** What a fleet of KCL 3.5 keeps in the same table. */
  readonly fleet: readonly FleetRow[];
}

export interface UnreadableRow {
  /** The row's key; "" = it has none. */
  readonly shardId: string;
  readonly error: LeaseTableError;
  /** It is the lease of an application that reads several streams, this one among them. */
  readonly streamName?: string;
}

/**
 * Each call is one attempt, ended early by the signal. All reject with LeaseTableError; retrying is the caller's.
 * Attributes that this program does not know are preserved by every write.
 */
export interface LeaseTable {
  readonly tableName: string;

  /**
   * Creates the table if it is missing and resolves when it can be used.
   *
   * @param beforeCreate awaited before a missing table is made; when it rejects, nothing is made.
   * @throws UserError when there is a table of this name that is not a lease table, or when access is denied.
   */
  ensure(
    signal: AbortSignal,
    beforeCreate?: (signal: AbortSignal) => Promise<unknown>,
  ): Promise<"created" | "existed">;

  /** All rows, perhaps a second old. */
  scan(signal: AbortSignal): Promise<Scan>;

  /** One lease as it is now. */
  read(shardId: string, signal: AbortSignal): Promise<Lease | undefined>;

  /** Without owner, counter 0. */
  create(lease: NewLease, signal: AbortSignal): Promise<"created" | "exists">;

  /** Makes the row of a lease again that somebody has deleted, without owner. */
  putBack(lease: Lease, signal: AbortSignal): Promise<"created" | "exists">;

  /** Makes `workerId` the owner of the lease as it was read. */
  take(lease: Lease, workerId: string, signal: AbortSignal): Promise<WriteResult>;

  /** @param throughputKBps what the shard brings, in KiB a second; noted for the leader of a 3.x fleet. */
  renew(lease: Lease, signal: AbortSignal, throughputKBps?: number): Promise<WriteResult>;

  checkpoint(lease: Lease, position: Position, signal: AbortSignal): Promise<WriteResult>;

  /** Gives the lease up, so that others need not wait for it to expire. */
  release(lease: Lease, signal: AbortSignal): Promise<WriteResult>;

  /** Gives the lease to `nextOwner(lease)`, if that is still who waits for it. */
  handOver(lease: Lease, signal: AbortSignal): Promise<WriteResult>;

  /** Asks the owner of the lease as it was read to hand it over to `workerId`. Leaves counter and owner alone. */
  requestHandover(lease: Lease, workerId: string, signal: AbortSignal): Promise<WriteResult>;

  /** Takes the request of `workerId` back. Leaves counter and owner alone. */
  withdrawRequest(shardId: string, workerId: string, signal: AbortSignal): Promise<WriteResult>;

  /** Leaves counter and owner alone. */
  noteChildren(
    shardId: string,
    childShardIds: readonly string[],
    signal: AbortSignal,
  ): Promise<WriteResult>;

  /** Leaves counter and owner alone. */
  noteHashKeyRange(shardId: string, range: HashKeyRange, signal: AbortSignal): Promise<WriteResult>;

  /** Deletes an ended lease if it has not changed since it was read. */
  delete(lease: Lease, signal: AbortSignal): Promise<WriteResult>;
}
