// The writes to a row of the lease table, each with its condition, as src/leases/dynamoTable.ts asks DynamoDB for them.

import { answered } from "../../src/leases/handover.ts";
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
    | "delete";
  readonly holds: (row: Lease) => boolean;
  /** `undefined`: the row is deleted. */
  readonly change: (row: Lease) => Lease | undefined;
}

function next(lease: Lease): Lease {
  return { ...lease, counter: lease.counter + 1 };
}

/** The condition of whoever holds the lease: he must know of a request. */
function asKnown(lease: Lease) {
  return (row: Lease) => row.counter === lease.counter && row.handoverTo === lease.handoverTo;
}

function always(): boolean {
  return true;
}

export const writes = {
  take: (lease: Lease, owner: string) => ({
    operation: "take",
    holds: (row) => row.counter === lease.counter,
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
    change: (row) => answered(next(row)),
  }),
  checkpoint: (lease: Lease, checkpoint: Position) => ({
    operation: "checkpoint",
    holds: asKnown(lease),
    change: (row) => ({ ...answered(next(row)), checkpoint, ownerSwitchesSinceCheckpoint: 0 }),
  }),
  release: (lease: Lease) => ({
    operation: "release",
    holds: asKnown(lease),
    change: ({ owner: _, handoverTo: __, handoverFrom: ___, ...row }) => next(row),
  }),
  handOver: (lease: Lease) => ({
    operation: "handOver",
    holds: asKnown(lease),
    change: ({ handoverTo, handoverFrom: _, ...row }) => ({
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
  delete: () => ({ operation: "delete", holds: hasEnded, change: () => undefined }),
} satisfies Record<string, (...facts: never[]) => RowWrite>;
