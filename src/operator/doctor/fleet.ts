// Which version of KCL has written a lease table, as far as can be told, and in which mode a Java fleet on it works.

import type { TableDescription } from "@aws-sdk/client-dynamodb";
import type { dynamoClient } from "../../aws/dynamoClient.ts";
import type { Settings } from "../../config/settings.ts";
import { OWNER_INDEX } from "../../leases/kcl3/fleetTables.ts";
import type { ForeignRow, Row } from "../../leases/table/rows.ts";
import { counted } from "../../plural.ts";
import { isLeaseRow } from "../leaseLines.ts";
import { type Finding, ok, warning } from "./finding.ts";

export interface FleetFacts {
  readonly writtenBy: string;
  /** Absent for a table without any trace of KCL 3.x. */
  readonly mode?: Finding;
}

/** A worker of KCL 3.x that has not reported for two periods counts as dead. */
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
      "KCL 3.5 or later: its own rows are in the same table",
      version?.facts["cv"],
      foreign,
    );
  }
  const apart = await versionInTableApart(coordinatorStateTableName, dynamo, signal);
  if (apart !== undefined) {
    return facts(
      `KCL 3.0 to 3.4, or 3.5 before its move into one table (${coordinatorStateTableName} is there)`,
      apart,
      [],
    );
  }
  return { writtenBy: byAttributes(rows, hasIndex) };
}

/** By which a worker of KCL 3.x finds the leases that it was given. */
export function hasOwnerIndex(table: TableDescription | undefined): boolean {
  return table?.GlobalSecondaryIndexes?.some(({ IndexName }) => IndexName === OWNER_INDEX) ?? false;
}

/** `""` when the table is there without saying; `undefined` when there is none, or it may not be read. */
async function versionInTableApart(
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
  if (stored.length === 0) return "nobody yet";
  if (has("entityType")) return "KCL 3.5 or later";
  if (hasIndex || has("throughputKBps")) return "KCL 3.x";
  if (has("startingHashKey")) return "KCL 1.14 or later, 2.3 or later, or this daemon";
  return "KCL before 1.14 or 2.3 (leases do not say which hash keys they hold; a daemon fills that in)";
}

function facts(
  writtenBy: string,
  version: string | undefined,
  foreign: readonly ForeignRow[],
): FleetFacts {
  const workers = foreign.filter(({ entityType }) => entityType === "WORKER_METRIC_STATS");
  const fresh = workers.filter(({ facts: { lut } }) => Date.now() - Number(lut) * 1_000 < FRESH_MS);
  const alive =
    workers.length === 0
      ? ""
      : `; ${fresh.length} of ${counted(workers.length, "worker")} reported within a minute`;
  const what = `${version || "not noted"}${alive}`;
  return { writtenBy, mode: judge(version, what) };
}

function judge(version: string | undefined, what: string): Finding {
  switch (version) {
    case "CLIENT_VERSION_3X":
    case "CLIENT_VERSION_3X_WITH_ROLLBACK":
      return ok(
        "mode",
        `${what}: while Java workers live, their leader alone gives out leases, and this daemon takes what it is given`,
      );
    case undefined:
    case "":
    case "CLIENT_VERSION_UPGRADE_FROM_2X":
    case "CLIENT_VERSION_2X":
      return ok("mode", `${what}: leases are taken as in KCL 2.x`);
    default:
      return warning(
        "mode",
        `${what}, which this version does not know`,
        "Look whether a newer version of this daemon does.",
      );
  }
}
