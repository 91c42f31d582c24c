// The state of each lease, from its row, the rows of its parents, and its renewals.

import { actualOwner, hasEnded, type Lease } from "../leases/lease.ts";
import type { ForeignRow, Row } from "../leases/table/rows.ts";
import { formatPosition } from "../model/position.ts";
import { counted } from "../plural.ts";
import type { LeaseWatch, Renewal } from "./leaseWatch.ts";
import { isForeignRow, isUnknownRow, leasesIn } from "./rowKinds.ts";

/** The meaning of each state, as the tables explain it. */
export const STATE_MEANS = {
  active: "its worker has renewed it while this command watched; the shard is being processed",
  held: "it has an owner, which has not renewed it while this command watched",
  "handing over": "the new owner waits until the old one finishes its batch",
  "waiting for parent": "a parent shard is not finished, so no worker reads this shard yet",
  unowned: "it has no owner; the next worker that scans the table takes it",
  expired: "not renewed for failoverTimeMillis; the next worker that scans the table takes it",
  ended: "the shard was processed to its end",
} as const;

export type LeaseState = keyof typeof STATE_MEANS;

export const STATES = Object.keys(STATE_MEANS) as LeaseState[];

export interface LeaseLine {
  readonly shardId: string;
  /** The worker that processes the shard; `undefined` when there is none. */
  readonly owner: string | undefined;
  /** During a handover, the worker that receives the lease. */
  readonly nextOwner?: string;
  readonly state: LeaseState;
  readonly checkpoint: string;
  readonly counter: number;
  readonly ownerSwitchesSinceCheckpoint: number;
  readonly renewal: Renewal | undefined;
  /** The unfinished parent shards. */
  readonly waitsFor: readonly string[];
}

export function leaseLines(
  rows: readonly Row[],
  watch: LeaseWatch,
  failoverTimeMillis: number,
): readonly LeaseLine[] {
  const leases = leasesIn(rows);
  const byId = new Map(leases.map((lease) => [lease.shardId, lease]));
  return leases
    .toSorted((a, b) => (a.shardId < b.shardId ? -1 : 1))
    .map((lease) => {
      const { shardId, owner, checkpointOwner, counter, ownerSwitchesSinceCheckpoint } = lease;
      const renewal = watch.renewal(shardId);
      const waitsFor = unfinishedParents(lease, byId);
      return {
        shardId,
        owner: actualOwner(lease),
        ...(checkpointOwner && owner && { nextOwner: owner }),
        state: stateOf(lease, waitsFor, renewal, failoverTimeMillis),
        checkpoint: formatPosition(lease.checkpoint),
        counter,
        ownerSwitchesSinceCheckpoint,
        renewal,
        waitsFor,
      };
    });
}

/** The same rule as the consumer's: a parent without a row holds nothing up. */
export function unfinishedParents(
  lease: Lease,
  byId: ReadonlyMap<string, Lease>,
): readonly string[] {
  return lease.parentShardIds.filter((id) => {
    const parent = byId.get(id);
    return parent !== undefined && !hasEnded(parent);
  });
}

function stateOf(
  lease: Lease,
  waitsFor: readonly string[],
  renewal: Renewal | undefined,
  failoverTimeMillis: number,
): LeaseState {
  if (hasEnded(lease)) return "ended";
  if (lease.checkpointOwner !== undefined) return "handing over";
  const isOwned = lease.owner !== undefined;
  if (isOwned && renewal && renewal.atLeastMs > failoverTimeMillis) return "expired";
  if (waitsFor.length > 0) return "waiting for parent";
  if (!isOwned) return "unowned";
  return renewal?.atMostMs === undefined ? "held" : "active";
}

/** Sentences about the rows that are not leases; empty when there are none. */
export function otherRows(rows: readonly Row[]): readonly string[] {
  const foreign = rows.filter(isForeignRow);
  const kinds = [...new Set(foreign.map(({ entityType }) => entityType))].sort();
  const parts = kinds.map((kind) =>
    describe(
      kind,
      foreign.filter(({ entityType }) => entityType === kind),
    ),
  );
  return [
    ...(parts.length > 0 ? [`The table also holds rows of KCL 3.x: ${parts.join("; ")}.`] : []),
    ...rows
      .filter(isUnknownRow)
      .map(({ problem }) => `A row is neither a lease nor marked as anything else: ${problem}.`),
  ];
}

function describe(type: string, rows: readonly ForeignRow[]): string {
  const facts = rows[0]?.facts ?? {};
  switch (type) {
    case "LEADER":
      return `the leader's lock (held by ${facts["ownerName"] ?? "nobody"})`;
    case "CLIENT_VERSION_MIGRATION":
      return `the fleet's version (${facts["cv"] ?? "unknown"})`;
    case "TABLE_MIGRATION":
      return `the state of the migration to one table (${facts["tm"] ?? "unknown"})`;
    case "WORKER_METRIC_STATS":
      return `metrics of ${counted(rows.length, "worker")} (${rows.map(({ key }) => key).join(", ")})`;
    default:
      return `${counted(rows.length, "row")} of type ${type}`;
  }
}
