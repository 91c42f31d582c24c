// The tables of a KCL 3.x fleet beside the lease table, where there are any: read only, except for this worker's own row.
// The item that holds the fleet's version is never written, nor is the leader's lock.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import { isTableMissing, translate } from "../table/dynamoErrors.ts";
import { ATTRIBUTES, type Item } from "../table/dynamoItem.ts";
import { LeaseTableError } from "../table.ts";
import { type FleetRow, fleetRow, KEYS, OUR_MARK } from "./fleetRows.ts";

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
  /** Leader, version and the state of a move; `undefined` when there is no such table, or we may not read it. */
  coordinatorState(signal: AbortSignal): Promise<readonly FleetRow[] | undefined>;
  /** The workers' reports; `undefined` as above. */
  workerMetrics(signal: AbortSignal): Promise<readonly FleetRow[] | undefined>;
  /** @param nowS seconds since 1970. */
  report(place: ReportPlace, workerId: string, nowS: number, signal: AbortSignal): Promise<void>;
  /** Takes the report back, so that the leader assigns nothing more to this worker. */
  withdraw(place: ReportPlace, workerId: string, signal: AbortSignal): Promise<void>;
  /** Of the index of owners: `ACTIVE`, `CREATING`, …; `undefined` when there is none. */
  ownerIndexStatus(signal: AbortSignal): Promise<string | undefined>;
  /** By the index: the keys of the leases that name this owner, perhaps a moment ago; `undefined` when it is not to be read. */
  keysOf(workerId: string, signal: AbortSignal): Promise<readonly string[] | undefined>;
}

/** Owner (HASH) and key (RANGE), nothing else; Java's workers make it when a fleet turns to 3.x. */
export const OWNER_INDEX = "LeaseOwnerToLeaseKeyIndex";

/** Keys of the tables of KCL 3.0 to 3.4. */
const STATE_KEY = "key";
const WORKER_KEY = "wid";
/** Java's `sup`: this worker reads rows of all kinds in one table. */
const SUPPORT_CODE = "1";

export function fleetTables(
  client: DynamoDB,
  names: FleetTableNames,
  version: string,
): FleetTables {
  const reports = {
    leaseTable: { TableName: names.tableName, key: ATTRIBUTES.key },
    workerMetricsTable: { TableName: names.workerMetricsTableName, key: WORKER_KEY },
  } as const satisfies Record<ReportPlace, { TableName: string; key: string }>;

  async function call<T>(operation: string, table: string, request: () => Promise<T>): Promise<T> {
    try {
      return await request();
    } catch (error) {
      throw translate(operation, table, error);
    }
  }

  return {
    async coordinatorState(abortSignal) {
      const TableName = names.coordinatorStateTableName;
      return orAbsent(
        call("BatchGetItem", TableName, async () => {
          const Keys = Object.values(KEYS).map((key) => ({ [STATE_KEY]: { S: key } }));
          const { Responses } = await client.batchGetItem(
            { RequestItems: { [TableName]: { Keys, ConsistentRead: true } } },
            { abortSignal },
          );
          return rowsOf(Responses?.[TableName] ?? [], STATE_KEY);
        }),
      );
    },

    async workerMetrics(abortSignal) {
      const TableName = names.workerMetricsTableName;
      return orAbsent(
        call("Scan", TableName, async () => {
          const items: Item[] = [];
          let start: Item | undefined;
          do {
            const page = await client.scan(
              { TableName, ...(start && { ExclusiveStartKey: start }) },
              { abortSignal },
            );
            items.push(...(page.Items ?? []));
            start = page.LastEvaluatedKey;
          } while (start);
          return rowsOf(items, WORKER_KEY);
        }),
      );
    },

    async report(place, workerId, nowS, abortSignal) {
      const { TableName, key } = reports[place];
      const inLeaseTable = place === "leaseTable";
      await call("UpdateItem", TableName, () =>
        client.updateItem(
          {
            TableName,
            Key: { [key]: { S: workerId } },
            UpdateExpression: `SET sts = :none, opr = :none, lut = :now, #p = :mark${inLeaseTable ? ", slu = :now, sup = :sup, entityType = :type" : ""}`,
            ExpressionAttributeNames: { "#p": "properties" },
            ExpressionAttributeValues: {
              // Without figures of the machine the leader shares out by throughput.
              ":none": { M: {} },
              ":now": { N: String(nowS) },
              ":mark": { M: { [OUR_MARK]: { S: version } } },
              ...(inLeaseTable && {
                ":sup": { N: SUPPORT_CODE },
                ":type": { S: "WORKER_METRIC_STATS" },
              }),
            },
          },
          { abortSignal },
        ),
      );
    },

    async withdraw(place, workerId, abortSignal) {
      const { TableName, key } = reports[place];
      await call("DeleteItem", TableName, () =>
        client.deleteItem({ TableName, Key: { [key]: { S: workerId } } }, { abortSignal }),
      );
    },

    async ownerIndexStatus(abortSignal) {
      const { tableName: TableName } = names;
      return call("DescribeTable", TableName, async () => {
        const { Table } = await client.describeTable({ TableName }, { abortSignal });
        const index = Table?.GlobalSecondaryIndexes?.find((each) => each.IndexName === OWNER_INDEX);
        return index && (index.IndexStatus ?? "without a status");
      });
    },

    async keysOf(workerId, abortSignal) {
      const { tableName: TableName } = names;
      const request = {
        TableName,
        IndexName: OWNER_INDEX,
        KeyConditionExpression: `${ATTRIBUTES.owner} = :me`,
        ExpressionAttributeValues: { ":me": { S: workerId } },
      };
      return call("Query", TableName, async () => {
        try {
          const keys: string[] = [];
          let start: Item | undefined;
          do {
            const page = await client.query(
              { ...request, ...(start && { ExclusiveStartKey: start }) },
              { abortSignal },
            );
            keys.push(...(page.Items ?? []).flatMap((item) => item[ATTRIBUTES.key]?.S ?? []));
            start = page.LastEvaluatedKey;
          } while (start);
          return keys;
        } catch (error) {
          if (error instanceof Error && error.name === "ValidationException") return undefined;
          throw error;
        }
      });
    },
  };
}

function rowsOf(items: readonly Item[], key: string): readonly FleetRow[] {
  return items.flatMap((item) => fleetRow(item[key]?.S ?? "", item) ?? []);
}

/** A table that is not there, and one that we have no right to know of, are alike: whoever needs it gives us the right. */
async function orAbsent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    const trouble = error instanceof LeaseTableError ? error.trouble : undefined;
    if (trouble === "tableMissing" || trouble === "denied" || isTableMissing(error))
      return undefined;
    throw error;
  }
}
