// What the workers of a KCL 3.x fleet write down beside the leases, in tables of their own (3.0 to 3.4) or in the lease
// table (3.5): who leads, which version the fleet speaks, who is alive. Reading is lenient: a row that says less than
// expected is no row.

import type { Item } from "../table/dynamoItem.ts";

export type FleetRow =
  /** The leader's lock: a heartbeat every 30 s gives it a new `version`. */
  | {
      readonly type: "leader";
      readonly workerId: string;
      readonly version: string;
      readonly leaseDurationMs: number;
    }
  /** `CLIENT_VERSION_3X` and the like. */
  | { readonly type: "clientVersion"; readonly clientVersion: string }
  /** How far the move into one table has come: `TABLE_MIGRATION_STATUS_…`. */
  | { readonly type: "tableMigration"; readonly status: string }
  /** A worker reports every 30 s. */
  | {
      readonly type: "worker";
      readonly workerId: string;
      /** By its own clock, in seconds since 1970. */
      readonly updatedS: number;
      /** A worker of this program, not of Java. */
      readonly ours: boolean;
    };

/** As Java names the rows. */
export const KEYS = {
  leader: "Leader",
  clientVersion: "Migration3.0",
  tableMigration: "TableMigration3.5",
} as const;

/** In `properties`, which Java keeps and does not use: tells our rows from Java's. */
export const OUR_MARK = "kinesis-multilang";

/** @param key the row's key, whatever the table calls it. */
export function fleetRow(key: string, item: Item): FleetRow | undefined {
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
