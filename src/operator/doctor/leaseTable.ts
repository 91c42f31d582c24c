// The lease table: whether it is one, who has written it, and whether its leases cover the stream.

import type { TableDescription } from "@aws-sdk/client-dynamodb";
import type { Settings } from "../../config/settings.ts";
import { audit } from "../../leases/audit.ts";
import type { dynamoClient } from "../../leases/dynamoClient.ts";
import { translate } from "../../leases/dynamoErrors.ts";
import { ATTRIBUTES as A } from "../../leases/dynamoItem.ts";
import { hasEnded } from "../../leases/lease.ts";
import { leaseRows, type Row } from "../../leases/rows.ts";
import { LeaseTableError } from "../../leases/table.ts";
import type { Shard } from "../../model/shard.ts";
import { counted } from "../columns.ts";
import { isLeaseRow, isStrangeRow, otherRows } from "../leaseLines.ts";
import { Lineage } from "../lineage.ts";
import { begunTooEarly } from "../plan.ts";
import { errorText, type Finding, failed, ok, warning } from "./finding.ts";
import { type FleetFacts, fleetOf } from "./fleet.ts";

type Dynamo = Awaited<ReturnType<typeof dynamoClient>>;

export interface TableCheck {
  readonly findings: readonly Finding[];
  /** Absent when the table is not there, or may not be looked at. */
  readonly description?: TableDescription;
  readonly unfinished?: number;
  /** Why nothing can be tried on the table. */
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
    const remedy = "Choose another applicationName, or name a table for the leases with tableName.";
    const finding = failed(
      CHECK,
      `${tableName} is not a lease table: its key is ${key}, not ${A.key} (HASH, string)`,
      remedy,
    );
    return { findings: [finding], unusable: "the table is not a lease table" };
  }
  try {
    const rows = await leaseRows(dynamo, tableName).scan(signal);
    const fleet = await fleetOf(settings, dynamo, rows, description, signal);
    const found = {
      description: description ?? {},
      unfinished: leasesOf(rows).filter((lease) => !hasEnded(lease)).length,
    };
    return { findings: [form(tableName, description), ...content(rows, fleet, shards)], ...found };
  } catch (error) {
    signal.throwIfAborted();
    const finding = warning(
      "leases",
      `cannot be read (${errorText(error)})`,
      "See the permissions.",
    );
    return {
      findings: [form(tableName, description), finding],
      ...(description && { description }),
    };
  }
}

function notDescribed(tableName: string, error: unknown): TableCheck {
  const trouble = translate("DescribeTable", tableName, error);
  if (!(trouble instanceof LeaseTableError)) return { findings: [failed(CHECK, errorText(error))] };
  switch (trouble.trouble) {
    case "tableMissing":
      return {
        findings: [
          ok(
            CHECK,
            `${tableName} does not exist yet; the first daemon makes it (it needs dynamodb:CreateTable for that)`,
          ),
        ],
      };
    case "denied":
      return {
        findings: [
          failed(CHECK, `may not be looked at (${errorText(error)})`, "See the permissions."),
        ],
      };
    default: {
      const remedy =
        "Check dynamoDBEndpoint and regionName, and whether this machine may connect to it (proxy, VPC endpoint, security group).";
      return {
        findings: [failed(CHECK, `DynamoDB cannot be reached (${errorText(error)})`, remedy)],
        unusable: "DynamoDB cannot be reached",
      };
    }
  }
}

/** `undefined` when it is that of a lease table. */
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

function form(
  tableName: string,
  { TableStatus, BillingModeSummary, DeletionProtectionEnabled }: TableDescription = {},
): Finding {
  const billing =
    BillingModeSummary?.BillingMode === "PAY_PER_REQUEST" ? "paid by request" : "provisioned";
  const message = `${tableName} is ${TableStatus}, ${billing}${DeletionProtectionEnabled ? ", protected from deletion" : ""}`;
  return TableStatus === "ACTIVE" || TableStatus === "UPDATING"
    ? ok(CHECK, message)
    : failed(CHECK, message, "Wait until it is ACTIVE.");
}

function content(
  rows: readonly Row[],
  fleet: FleetFacts,
  shards: readonly Shard[] | undefined,
): readonly Finding[] {
  const leases = leasesOf(rows);
  const owners = new Set(leases.flatMap(({ owner }) => owner ?? []));
  const ended = leases.filter(hasEnded).length;
  const summary =
    leases.length === 0
      ? "none yet; the first daemon makes them"
      : `${counted(leases.length, "lease")}, ${ended} ended, ${owners.size === 0 ? "nobody's" : `in the name of ${counted(owners.size, "worker")}`}`;
  return [
    ok("leases", [summary, ...otherRows(rows.filter((row) => !isStrangeRow(row)))].join("\n")),
    ok("written by", fleet.writtenBy),
    ...(fleet.mode ? [fleet.mode] : []),
    ...strangeRows(rows),
    ...(leases.length > 0 && shards ? coverage(rows, shards) : []),
  ];
}

function strangeRows(rows: readonly Row[]): readonly Finding[] {
  const strange = rows.filter(isStrangeRow);
  if (strange.length === 0) return [];
  const text = strange.map(({ problem }) => problem).join("\n");
  return [
    failed(
      "foreign rows",
      `${counted(strange.length, "row")} that are no leases, and do not say what else:\n${text}`,
      "Is it another application's table? Then choose another tableName. If a row was edited by hand, mend or delete it; Java workers stop at it.",
    ),
  ];
}

function coverage(rows: readonly Row[], shards: readonly Shard[]): readonly Finding[] {
  const leases = leasesOf(rows);
  const listed = new Set(shards.map(({ shardId }) => shardId));
  const strangers = leases.filter(({ shardId }) => !listed.has(shardId));
  if (strangers.length === leases.length) {
    return [
      failed(
        "coverage",
        `none of the ${counted(leases.length, "lease")} is for a shard that the stream lists`,
        "The table is another stream's, or the stream was deleted and made anew. Choose another applicationName or tableName; or, if the stream was made anew, delete the table.",
      ),
    ];
  }
  const lineage = new Lineage(shards, leases);
  const early = begunTooEarly(leases, lineage);
  const hole = audit(undefined, leases, shards)?.hole;
  return [
    hole
      ? failed(
          "coverage",
          `no lease covers the hash keys from ${hole.fromHashKey} to ${hole.toHashKey}: nobody reads their records`,
          "A running daemon repairs this in about six minutes. If a row was deleted by hand: checkpoints reset --shard ID --to trim-horizon (or a time) makes its lease.",
        )
      : ok("coverage", "the leases cover every hash key"),
    ...(early.length > 0
      ? [
          warning(
            "order",
            `${early.join(", ")} began before what they come of is finished: records can be out of order`,
            "checkpoints reset takes them back together.",
          ),
        ]
      : []),
  ];
}

function leasesOf(rows: readonly Row[]) {
  return rows.filter(isLeaseRow).map(({ lease }) => lease);
}
