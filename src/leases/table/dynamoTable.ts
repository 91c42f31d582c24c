// The lease table in DynamoDB.

import type { DynamoDB } from "@aws-sdk/client-dynamodb";
import type { Clock } from "../../clock.ts";
import type { LeaseTable } from "../table.ts";
import { call } from "./dynamoCalls.ts";
import { scanner } from "./dynamoScan.ts";
import { ensureTable, type TableOptions } from "./dynamoSchema.ts";
import { dynamoStore } from "./dynamoStore.ts";
import { leaseTable } from "./leaseTable.ts";

export function dynamoLeaseTable(
  client: DynamoDB,
  options: TableOptions,
  clock: Clock,
): LeaseTable {
  const { tableName } = options;
  const scan = scanner(client, tableName, options.scanSegments);
  const ensure: LeaseTable["ensure"] = (signal, beforeCreate) =>
    call("CreateTable", tableName, () => ensureTable(client, options, clock, signal, beforeCreate));
  return leaseTable(
    dynamoStore(client, tableName),
    options.mode ?? "singleStream",
    ensure,
    (signal) => call("Scan", tableName, () => scan(signal)),
  );
}
