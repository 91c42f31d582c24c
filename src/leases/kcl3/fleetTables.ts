// The tables that a KCL 3.x fleet has beside the lease table, if any. The daemon writes only its
// own report to them; it never writes the fleet's version or the leader's lock.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import type { FleetRow } from "../fleetRow.ts";
import { allPages, call } from "../table/dynamoCalls.ts";
import { isTableMissing } from "../table/dynamoErrors.ts";
import { ATTRIBUTES, type Item } from "../table/dynamoItem.ts";
import { LeaseTableError } from "../table.ts";
import { KEYS, OUR_MARK, parseFleetRow } from "./fleetRows.ts";

export interface FleetTableNames {
  readonly tableName: string;
  /** KCL 3.0 to 3.4. */
  readonly coordinatorStateTableName: string;
  readonly workerMetricsTableName: string;
}

/** Where workers report. */
export type ReportPlace = "leaseTable" | "workerMetricsTable";

/** Each call is one attempt and rejects with LeaseTableError. */
export interface FleetTables {
  /**
   * The leader, the version and the state of a migration; `undefined` when the table does not exist
   * or this worker may not read it.
   */
  coordinatorState(signal: AbortSignal): Promise<readonly FleetRow[] | undefined>;
  /** The workers' reports; `undefined` as for `coordinatorState`. */
  workerMetrics(signal: AbortSignal): Promise<readonly FleetRow[] | undefined>;
  /** @param nowS seconds since 1970. */
  report(place: ReportPlace, workerId: string, nowS: number, signal: AbortSignal): Promise<void>;
  /** Deletes the report, so that the leader assigns nothing more to this worker. */
  withdraw(place: ReportPlace, workerId: string, signal: AbortSignal): Promise<void>;
  /** The status of the index of owners: `ACTIVE`, `CREATING`, …; `undefined` when there is none. */
  ownerIndexStatus(signal: AbortSignal): Promise<string | undefined>;
  /**
   * The keys of the leases of this owner, from the index; eventually consistent. `undefined` when
   * the index cannot be read.
   */
  keysOf(workerId: string, signal: AbortSignal): Promise<readonly string[] | undefined>;
}

/** Owner (HASH) and key (RANGE) only. Java workers create it when a fleet changes to 3.x. */
export const OWNER_INDEX = "LeaseOwnerToLeaseKeyIndex";

/** Key attributes of the tables of KCL 3.0 to 3.4. */
const STATE_KEY = "key";
const WORKER_KEY = "wid";
/** Java's `sup`: this worker supports all kinds of rows in one table. */
const SUPPORT_CODE = "1";

export function fleetTables(
  client: DynamoDB,
  names: FleetTableNames,
  version: string,
): FleetTables {
  const reports: Readonly<Record<ReportPlace, ReportKey>> = {
    leaseTable: { TableName: names.tableName, key: ATTRIBUTES.key },
    workerMetricsTable: { TableName: names.workerMetricsTableName, key: WORKER_KEY },
  };
  return {
    coordinatorState: (signal) =>
      orAbsent(readState(client, names.coordinatorStateTableName, signal)),
    workerMetrics: (signal) => orAbsent(readReports(client, names.workerMetricsTableName, signal)),

    async report(place, workerId, nowS, abortSignal) {
      const request = reportRequest(place, reports[place], workerId, nowS, version);
      await call("UpdateItem", request.TableName, () =>
        client.updateItem(request, { abortSignal }),
      );
    },

    async withdraw(place, workerId, abortSignal) {
      const { TableName, key } = reports[place];
      await call("DeleteItem", TableName, () =>
        client.deleteItem({ TableName, Key: { [key]: { S: workerId } } }, { abortSignal }),
      );
    },

    ownerIndexStatus: (abortSignal) => {
      const { tableName: TableName } = names;
      return call("DescribeTable", TableName, async () => {
        const { Table } = await client.describeTable({ TableName }, { abortSignal });
        const index = Table?.GlobalSecondaryIndexes?.find((each) => each.IndexName === OWNER_INDEX);
        return index && (index.IndexStatus ?? "without a status");
      });
    },

    keysOf: (workerId, signal) => queryKeys(client, names.tableName, workerId, signal),
  };
}

/** A table and the name of its key attribute. */
interface ReportKey {
  readonly TableName: string;
  readonly key: string;
}

function readState(
  client: DynamoDB,
  TableName: string,
  abortSignal: AbortSignal,
): Promise<readonly FleetRow[]> {
  return call("BatchGetItem", TableName, async () => {
    const Keys = Object.values(KEYS).map((key) => ({ [STATE_KEY]: { S: key } }));
    const { Responses } = await client.batchGetItem(
      { RequestItems: { [TableName]: { Keys, ConsistentRead: true } } },
      { abortSignal },
    );
    return rowsOf(Responses?.[TableName] ?? [], STATE_KEY);
  });
}

function readReports(
  client: DynamoDB,
  TableName: string,
  abortSignal: AbortSignal,
): Promise<readonly FleetRow[]> {
  return call("Scan", TableName, async () => {
    const pages = await allPages((start) => client.scan({ TableName, ...start }, { abortSignal }));
    return rowsOf(pages.flat(), WORKER_KEY);
  });
}

function reportRequest(
  place: ReportPlace,
  { TableName, key }: ReportKey,
  workerId: string,
  nowS: number,
  version: string,
) {
  const inLeaseTable = place === "leaseTable";
  return {
    TableName,
    Key: { [key]: { S: workerId } },
    UpdateExpression: `SET sts = :none, opr = :none, lut = :now, #p = :mark${inLeaseTable ? ", slu = :now, sup = :sup, entityType = :type" : ""}`,
    ExpressionAttributeNames: { "#p": "properties" },
    ExpressionAttributeValues: {
      // Without metrics of the machine, the leader assigns by throughput.
      ":none": { M: {} },
      ":now": { N: String(nowS) },
      ":mark": { M: { [OUR_MARK]: { S: version } } },
      ...(inLeaseTable && {
        ":sup": { N: SUPPORT_CODE },
        ":type": { S: "WORKER_METRIC_STATS" },
      }),
    },
  };
}

/** `undefined` when the index does not exist, or cannot be read yet. */
function queryKeys(
  client: DynamoDB,
  TableName: string,
  workerId: string,
  abortSignal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const request = {
    TableName,
    IndexName: OWNER_INDEX,
    KeyConditionExpression: `${ATTRIBUTES.owner} = :me`,
    ExpressionAttributeValues: { ":me": { S: workerId } },
  };
  return call("Query", TableName, async () => {
    try {
      const pages = await allPages((start) =>
        client.query({ ...request, ...start }, { abortSignal }),
      );
      return pages.flat().flatMap((item) => item[ATTRIBUTES.key]?.S ?? []);
    } catch (error) {
      if (error instanceof Error && error.name === "ValidationException") return undefined;
      throw error;
    }
  });
}

function rowsOf(items: readonly Item[], key: string): readonly FleetRow[] {
  return items.flatMap((item) => parseFleetRow(item[key]?.S ?? "", item) ?? []);
}

/** A table that this worker may not read counts as absent: a fleet that needs it grants access. */
async function orAbsent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    const reason = error instanceof LeaseTableError ? error.reason : undefined;
    if (reason === "tableMissing" || reason === "denied" || isTableMissing(error)) return undefined;
    throw error;
  }
}
