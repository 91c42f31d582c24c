// How the workers of a KCL 3.x fleet store what they share beside the leases, in tables of their
// own (3.0 to 3.4) or in the lease table (3.5). Parsing is lenient: a row that lacks an expected
// attribute is ignored.

import type { FleetRow } from "../fleetRow.ts";
import type { Item } from "../table/dynamoItem.ts";

/** Java's keys for the rows. */
export const KEYS = {
  leader: "Leader",
  clientVersion: "Migration3.0",
  tableMigration: "TableMigration3.5",
} as const;

/** Marks our rows, in the attribute `properties`, which Java preserves and does not use. */
export const OUR_MARK = "kinesis-multilang";

/** @param key the row's key; the name of the key attribute differs from table to table. */
export function parseFleetRow(key: string, item: Item): FleetRow | undefined {
  switch (key) {
    case KEYS.leader: {
      const workerId = item["ownerName"]?.S;
      const version = item["recordVersionNumber"]?.S;
      if (!workerId || !version || item["isReleased"]?.S === "1") return undefined;
      const leaseDurationMs = Number(item["leaseDuration"]?.S ?? "");
      return { type: "leader", workerId, version, leaseDurationMs: leaseDurationMs || 120_000 };
    }
    case KEYS.clientVersion:
      return { type: "clientVersion", clientVersion: item["cv"]?.S ?? "" };
    case KEYS.tableMigration:
      return { type: "tableMigration", status: item["tm"]?.S ?? "" };
    default: {
      const updatedS = Number(item["lut"]?.N ?? "");
      if (!updatedS) return undefined;
      const ours = item["properties"]?.M?.[OUR_MARK] !== undefined;
      return { type: "worker", workerId: key, updatedS, ours };
    }
  }
}
