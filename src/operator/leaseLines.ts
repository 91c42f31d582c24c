// What a lease table says to people: the state of each lease, derived from its row, its parents' rows and from watching.

import { actualOwner, hasEnded, type Lease } from "../leases/lease.ts";
import type { ForeignRow, LeaseRow, Row, StrangeRow } from "../leases/table/rows.ts";
import { formatPosition } from "../model/position.ts";
import { counted } from "../plural.ts";
import type { LeaseWatch, Renewal } from "./leaseWatch.ts";

/** What each state of a lease means, as it is told to people. */
export const STATE_MEANS = {
  active: "seen to be renewed; its shard is being processed",
  held: "a worker's name stands in it, and was not seen to renew it yet",
  "handing over": "given to the new owner, while the old one finishes its batch",
  "waiting for parent": "a parent of its shard is not finished; nothing is read until it is",
  unowned: "nobody's; the next worker that looks takes it",
  expired: "not renewed for failoverTimeMillis; the next worker that looks takes it",
  ended: "its shard was processed to its end",
} as const;

export type LeaseState = keyof typeof STATE_MEANS;

export const STATES = Object.keys(STATE_MEANS) as LeaseState[];

export interface LeaseLine {
  readonly shardId: string;
  /** Who processes the shard; `undefined` = nobody. */
  readonly owner: string | undefined;
  /** During a handover: who gets it. */
  readonly nextOwner?: string;
  readonly state: LeaseState;
  readonly checkpoint: string;
  readonly counter: number;
  readonly ownerSwitchesSinceCheckpoint: number;
  readonly renewal: Renewal | undefined;
  /** Unfinished ones. */
  readonly waitsFor: readonly string[];
}

export function leaseLines(
  rows: readonly Row[],
  watch: LeaseWatch,
  failoverTimeMillis: number,
): readonly LeaseLine[] {
  const leases = rows.filter(isLeaseRow).map(({ lease }) => lease);
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

/** As the consumer judges it: a parent without a row does not stand in the way. */
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

export function isLeaseRow(row: Row): row is LeaseRow {
  return row.type === "lease";
}

function isForeignRow(row: Row): row is ForeignRow {
  return row.type === "foreign";
}

export function isStrangeRow(row: Row): row is StrangeRow {
  return row.type === "strange";
}

/** Whole sentences about the rows that are no leases; empty when there are none. */
export function otherRows(rows: readonly Row[]): readonly string[] {
  const foreign = rows.filter(isForeignRow);
  const kinds = [...new Set(foreign.map(({ entityType }) => entityType))].sort();
  const told = kinds.map((kind) =>
    describe(
      kind,
      foreign.filter(({ entityType }) => entityType === kind),
    ),
  );
  return [
    ...(told.length > 0 ? [`Also in the table, of KCL 3.x: ${told.join("; ")}.`] : []),
    ...rows
      .filter(isStrangeRow)
      .map(({ problem }) => `Not a lease, and not marked as anything else: ${problem}.`),
  ];
}

function describe(type: string, rows: readonly ForeignRow[]): string {
  const facts = rows[0]?.facts ?? {};
  switch (type) {
    case "LEADER":
      return `the leader's lock (${facts["ownerName"] ?? "nobody"})`;
    case "CLIENT_VERSION_MIGRATION":
      return `the fleet's version (${facts["cv"] ?? "unknown"})`;
    case "TABLE_MIGRATION":
      return `the state of the move into one table (${facts["tm"] ?? "unknown"})`;
    case "WORKER_METRIC_STATS":
      return `figures of ${counted(rows.length, "worker")} (${rows.map(({ key }) => key).join(", ")})`;
    default:
      return `${counted(rows.length, `row`)} ${type}`;
  }
}
