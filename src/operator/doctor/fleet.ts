// Finds out which version of KCL has written a lease table, as far as the table shows it, and in
// which mode a Java fleet on it works.

import type { TableDescription } from "@aws-sdk/client-dynamodb";
import type { dynamoClient } from "../../aws/dynamoClient.ts";
import type { Settings } from "../../config/settings.ts";
import { OWNER_INDEX } from "../../leases/kcl3/fleetTables.ts";
import type { ForeignRow, Row } from "../../leases/table/rows.ts";
import { counted } from "../../plural.ts";
import { isLeaseRow } from "../rowKinds.ts";
import { type Finding, ok, warning } from "./finding.ts";

export interface FleetFacts {
  readonly writtenBy: string;
  /** Absent when nothing in the table comes from KCL 3.x. */
  readonly mode?: Finding;
}

/** A worker of KCL 3.x counts as dead when it has not reported for two of its reporting periods. */
const FRESH_MS = 60_000;

export async function fleetOf(
  { coordinatorStateTableName }: Settings,
  dynamo: Awaited<ReturnType<typeof dynamoClient>>,
  rows: readonly Row[],
  table: TableDescription | undefined,
  signal: AbortSignal,
): Promise<FleetFacts> {
  const foreign = rows.filter((row): row is ForeignRow => row.type === "foreign");
  const hasIndex = hasOwnerIndex(table);
  const version = foreign.find(({ entityType }) => entityType === "CLIENT_VERSION_MIGRATION");
  if (foreign.length > 0) {
    return facts(
      "KCL 3.5 or later, which keeps its own rows in the lease table",
      version?.facts["cv"],
      foreign,
    );
  }
  const inStateTable = await versionInStateTable(coordinatorStateTableName, dynamo, signal);
  if (inStateTable !== undefined) {
    return facts(
      `KCL 3.0 to 3.4, or KCL 3.5 before its migration to one table (the table ${coordinatorStateTableName} exists)`,
      inStateTable,
      [],
    );
  }
  return { writtenBy: byAttributes(rows, hasIndex) };
}

/** Whether the table has the index in which workers of KCL 3.x find their assigned leases. */
export function hasOwnerIndex(table: TableDescription | undefined): boolean {
  return table?.GlobalSecondaryIndexes?.some(({ IndexName }) => IndexName === OWNER_INDEX) ?? false;
}

/**
 * `""` when the table exists but holds no version; `undefined` when it does not exist or may not be
 * read.
 */
async function versionInStateTable(
  TableName: string,
  dynamo: Awaited<ReturnType<typeof dynamoClient>>,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const Key = { key: { S: "Migration3.0" } };
    const { Item } = await dynamo.getItem(
      { TableName, Key, ConsistentRead: true },
      { abortSignal: signal },
    );
    return Item?.["cv"]?.S ?? "";
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

function byAttributes(rows: readonly Row[], hasIndex: boolean): string {
  const stored = rows.filter(isLeaseRow).map((row) => row.stored);
  const has = (name: string) => stored.some((row) => row[name] !== undefined);
  if (stored.length === 0) return "no daemon yet";
  if (has("entityType")) return "KCL 3.5 or later";
  if (hasIndex || has("throughputKBps")) return "KCL 3.x";
  if (has("startingHashKey")) return "KCL 1.14 or later, KCL 2.3 or later, or this daemon";
  return "KCL before 1.14 or 2.3 (the leases do not hold the hash keys of their shards; this daemon adds them)";
}

function facts(
  writtenBy: string,
  version: string | undefined,
  foreign: readonly ForeignRow[],
): FleetFacts {
  const workers = foreign.filter(({ entityType }) => entityType === "WORKER_METRIC_STATS");
  const fresh = workers.filter(({ facts: { lut } }) => Date.now() - Number(lut) * 1_000 < FRESH_MS);
  const reporting =
    workers.length === 0
      ? ""
      : `; ${fresh.length} of ${counted(workers.length, "worker")} reported within the last minute`;
  const what = `${version || "no version is recorded"}${reporting}`;
  return { writtenBy, mode: judge(version, what) };
}

function judge(version: string | undefined, what: string): Finding {
  switch (version) {
    case "CLIENT_VERSION_3X":
    case "CLIENT_VERSION_3X_WITH_ROLLBACK":
      return ok(
        "mode",
        `${what}. While Java workers are alive, their leader assigns all leases, and this daemon takes the leases that it is assigned`,
      );
    case undefined:
    case "":
    case "CLIENT_VERSION_UPGRADE_FROM_2X":
    case "CLIENT_VERSION_2X":
      return ok("mode", `${what}. Workers take leases themselves, as in KCL 2.x`);
    default:
      return warning(
        "mode",
        `${what}. This version of the daemon does not know that mode`,
        "Check whether a newer version of this daemon supports it.",
      );
  }
}
