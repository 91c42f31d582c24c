// Checks the lease table: whether it is one, which program has written it, and whether its leases
// cover the stream.

import type { TableDescription } from "@aws-sdk/client-dynamodb";
import type { dynamoClient } from "../../aws/dynamoClient.ts";
import type { Settings } from "../../config/settings.ts";
import { contradictions } from "../../leases/decisions/contradictions.ts";
import { hasEnded, type Lease } from "../../leases/lease.ts";
import { translate } from "../../leases/table/dynamoErrors.ts";
import { ATTRIBUTES as A } from "../../leases/table/dynamoItem.ts";
import { dynamoStore } from "../../leases/table/dynamoStore.ts";
import { leaseRows } from "../../leases/table/rows.ts";
import { LeaseTableError } from "../../leases/table.ts";
import type { Shard } from "../../model/shard.ts";
import { leasesIn } from "../rowKinds.ts";
import { errorText, type Finding, failed, ok, warning } from "./finding.ts";
import { fleetOf } from "./fleet.ts";
import { checkContent } from "./leaseContent.ts";

type Dynamo = Awaited<ReturnType<typeof dynamoClient>>;

export interface TableCheck {
  readonly findings: readonly Finding[];
  /** Absent when the table does not exist, or may not be read. */
  readonly description?: TableDescription;
  readonly unfinished?: number;
  /** Leases that do not contradict the stream's listing. */
  readonly placed?: readonly Lease[];
  /** Why no permission can be tested on the table. */
  readonly unusable?: string;
}

const CHECK = "lease table";

export async function checkLeaseTable(
  settings: Settings,
  dynamo: Dynamo,
  shards: readonly Shard[] | undefined,
  signal: AbortSignal,
): Promise<TableCheck> {
  const { tableName } = settings;
  let description: TableDescription | undefined;
  try {
    description = (await dynamo.describeTable({ TableName: tableName }, { abortSignal: signal }))
      .Table;
  } catch (error) {
    signal.throwIfAborted();
    return notDescribed(tableName, error);
  }
  const key = wrongKey(description);
  if (key !== undefined) {
    const remedy = "Choose another applicationName, or set tableName to another table.";
    const finding = failed(
      CHECK,
      `${tableName} is not a lease table: its key is ${key}, not ${A.key} (HASH, string)`,
      remedy,
    );
    return { findings: [finding], unusable: "the table is not a lease table" };
  }
  try {
    const rows = await leaseRows(dynamoStore(dynamo, tableName)).scan(signal);
    const fleet = await fleetOf(settings, dynamo, rows, description, signal);
    const leases = leasesIn(rows);
    const bad = new Set(contradictions(leases, shards ?? []).map(({ shardId }) => shardId));
    const found = {
      description: description ?? {},
      unfinished: leases.filter((lease) => !hasEnded(lease)).length,
      placed: leases.filter(({ shardId }) => !bad.has(shardId)),
    };
    return {
      findings: [
        tableState(tableName, description),
        ...checkContent(rows, fleet, shards, settings),
      ],
      ...found,
    };
  } catch (error) {
    signal.throwIfAborted();
    const finding = warning(
      "leases",
      `the lease table cannot be read (${errorText(error)})`,
      "See the result of the permission checks.",
    );
    return {
      findings: [tableState(tableName, description), finding],
      ...(description && { description }),
    };
  }
}

function notDescribed(tableName: string, error: unknown): TableCheck {
  const translated = translate("DescribeTable", tableName, error);
  if (!(translated instanceof LeaseTableError))
    return { findings: [failed(CHECK, errorText(error))] };
  switch (translated.reason) {
    case "tableMissing":
      return {
        findings: [
          ok(
            CHECK,
            `${tableName} does not exist yet; the first daemon creates it, and needs dynamodb:CreateTable for that`,
          ),
        ],
      };
    case "denied":
      return {
        findings: [
          failed(
            CHECK,
            `${tableName} may not be described (${errorText(error)})`,
            "See the result of the permission checks.",
          ),
        ],
      };
    default: {
      const remedy =
        "Check dynamoDBEndpoint and regionName, and whether this machine can connect to that endpoint (proxy, VPC endpoint, security group).";
      return {
        findings: [failed(CHECK, `DynamoDB cannot be reached (${errorText(error)})`, remedy)],
        unusable: "DynamoDB cannot be reached",
      };
    }
  }
}

/** `undefined` when the key is that of a lease table. */
function wrongKey({
  KeySchema = [],
  AttributeDefinitions = [],
}: TableDescription = {}): string | undefined {
  const [hash, ...others] = KeySchema;
  const type = AttributeDefinitions.find(
    ({ AttributeName }) => AttributeName === hash?.AttributeName,
  );
  const isRight =
    others.length === 0 && hash?.AttributeName === A.key && type?.AttributeType === "S";
  return isRight
    ? undefined
    : KeySchema.map((part) => `${part.AttributeName} (${part.KeyType})`).join(", ");
}

function tableState(
  tableName: string,
  { TableStatus, BillingModeSummary, DeletionProtectionEnabled }: TableDescription = {},
): Finding {
  const billing =
    BillingModeSummary?.BillingMode === "PAY_PER_REQUEST"
      ? "on-demand capacity"
      : "provisioned capacity";
  const message = `${tableName} is ${TableStatus}, with ${billing}${DeletionProtectionEnabled ? " and deletion protection" : ""}`;
  return TableStatus === "ACTIVE" || TableStatus === "UPDATING"
    ? ok(CHECK, message)
    : failed(CHECK, message, "Wait until the table is ACTIVE.");
}
