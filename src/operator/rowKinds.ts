// The kinds of rows in a lease table.

import type { Lease } from "../leases/lease.ts";
import type { ForeignRow, LeaseRow, Row, StrangeRow } from "../leases/table/rows.ts";

export function isLeaseRow(row: Row): row is LeaseRow {
  return row.type === "lease";
}

/** A row that KCL 3.x keeps for itself. */
export function isForeignRow(row: Row): row is ForeignRow {
  return row.type === "foreign";
}

/** A row that is neither a lease nor marked as anything else. */
export function isUnknownRow(row: Row): row is StrangeRow {
  return row.type === "strange";
}

export function leasesIn(rows: readonly Row[]): readonly Lease[] {
  return rows.filter(isLeaseRow).map(({ lease }) => lease);
}
