// The writes to a row of the lease table, each with its condition, as
// src/leases/table/dynamoTable.ts requests them from DynamoDB.

import { acknowledged } from "../../src/leases/holding/handover.ts";
import { hasEnded, type Lease } from "../../src/leases/lease.ts";
import type { Position } from "../../src/model/position.ts";

export interface RowWrite {
  readonly operation:
    | "take"
    | "renew"
    | "checkpoint"
    | "release"
    | "handOver"
    | "request"
    | "withdraw"
    | "note"
    | "assign"
    | "delete";
  readonly holds: (row: Lease) => boolean;
  /** `undefined`: the row is deleted. */
  readonly change: (row: Lease) => Lease | undefined;
}

function next(lease: Lease): Lease {
  return { ...lease, counter: lease.counter + 1 };
}

/** The worker must know of a handover that a leader has begun. */
function hasCounter(lease: Lease) {
  return (row: Lease) =>
    row.counter === lease.counter &&
    (row.checkpointOwner === undefined || lease.checkpointOwner !== undefined);
}

/** The condition for the holder of the lease: it must know of a request. */
function asKnown(lease: Lease) {
  return (row: Lease) => hasCounter(lease)(row) && row.handoverTo === lease.handoverTo;
}

function always(): boolean {
  return true;
}

export const writes = {
  take: (lease: Lease, owner: string) => ({
    operation: "take",
    holds: hasCounter(lease),
    change: ({ checkpointOwner, handoverTo: _, handoverFrom: __, ...row }) => ({
      ...next(row),
      owner,
      ownerSwitchesSinceCheckpoint:
        row.ownerSwitchesSinceCheckpoint +
        Number((checkpointOwner ?? row.owner ?? owner) !== owner),
    }),
  }),
  renew: (lease: Lease) => ({
    operation: "renew",
    holds: asKnown(lease),
    change: (row) => acknowledged(next(row)),
  }),
  checkpoint: (lease: Lease, checkpoint: Position) => ({
    operation: "checkpoint",
    holds: asKnown(lease),
    change: (row) => ({ ...acknowledged(next(row)), checkpoint, ownerSwitchesSinceCheckpoint: 0 }),
  }),
  release: (lease: Lease) => ({
    operation: "release",
    holds: asKnown(lease),
    change: ({ owner: _, checkpointOwner: __, handoverTo: ___, handoverFrom: ____, ...row }) =>
      next(row),
  }),
  handOver: (lease: Lease) => ({
    operation: "handOver",
    holds: asKnown(lease),
    change: ({ handoverTo, handoverFrom: _, checkpointOwner: __, ...row }) => ({
      ...next(row),
      ...(handoverTo !== undefined && { owner: handoverTo }),
      ownerSwitchesSinceCheckpoint: row.ownerSwitchesSinceCheckpoint + 1,
    }),
  }),
  request: (lease: Lease, workerId: string) => ({
    operation: "request",
    holds: (row) => asKnown(lease)(row) && row.owner === lease.owner,
    change: ({ handoverFrom: _, ...row }) => ({ ...row, handoverTo: workerId }),
  }),
  withdraw: (workerId: string) => ({
    operation: "withdraw",
    holds: (row) => row.handoverTo === workerId,
    change: ({ handoverTo: _, handoverFrom: __, ...row }) => row,
  }),
  note: (facts: Partial<Pick<Lease, "childShardIds" | "hashKeyRange">>) => ({
    operation: "note",
    holds: always,
    change: (row) => ({ ...row, ...facts }),
  }),
  /**
   * The leader of a 3.x fleet marks a live worker's lease: another worker gets it once the owner
   * has finished.
   */
  begin: (lease: Lease, owner: string) => ({
    operation: "assign",
    holds: (row) => row.owner === lease.owner && row.checkpointOwner === undefined,
    change: (row) => ({
      ...row,
      owner,
      ...(row.owner !== undefined && { checkpointOwner: row.owner }),
    }),
  }),
  /**
   * The leader reassigns the lease at once. Java's condition is only the owner, so a late write
   * takes the lease from an owner that has recovered. That is the leader's fault, and no worker can
   * prevent it. This leader also requires the counter.
   */
  assign: (lease: Lease, owner: string) => ({
    operation: "assign",
    holds: (row) =>
      row.counter === lease.counter &&
      row.owner === lease.owner &&
      row.checkpointOwner === lease.checkpointOwner,
    change: ({ checkpointOwner: _, handoverTo: __, handoverFrom: ___, ...row }) => ({
      ...next(row),
      owner,
    }),
  }),
  delete: () => ({ operation: "delete", holds: hasEnded, change: () => undefined }),
} satisfies Record<string, (...facts: never[]) => RowWrite>;
