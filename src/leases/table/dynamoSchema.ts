// The lease table itself: created on demand exactly as KCL creates it, and its key checked before
// use.

import type { DynamoDB, TableDescription } from "@aws-sdk/client-dynamodb";
import type { Clock } from "../../clock.ts";
import { UserError } from "../../model/errors.ts";
import { backoffMs } from "../../retry.ts";
import type { KeyMode } from "../leaseKey.ts";
import { isTableMissing } from "./dynamoErrors.ts";
import { ATTRIBUTES } from "./dynamoItem.ts";

export interface TableOptions {
  readonly tableName: string;
  readonly deletionProtection: boolean;
  readonly pointInTimeRecovery: boolean;
  /** In how many segments to scan; absent: decided by the size of the table. */
  readonly scanSegments?: number;
  /** The leases of the table; those of one stream when absent. */
  readonly mode?: KeyMode;
}

/**
 * A new table is ready after seconds on AWS and after milliseconds on an emulator. Java checks
 * every 10 s, for 600 s.
 */
const POLL = { baseMs: 100, capMs: 2_000 };
const ACTIVE_WITHIN_MS = 600_000;

/** Resolves when the table can be used. */
export async function ensureTable(
  client: DynamoDB,
  options: TableOptions,
  clock: Clock,
  signal: AbortSignal,
  beforeCreate?: (signal: AbortSignal) => Promise<unknown>,
): Promise<"created" | "existed"> {
  const found = await describe(client, options.tableName, signal);
  if (found) checkKey(found, options.tableName);
  else await beforeCreate?.(signal);
  const outcome = found ? "existed" : await create(client, options, signal);
  if (found?.TableStatus !== "ACTIVE") {
    const isDeleting = found?.TableStatus === "DELETING";
    const state = await untilActive(client, options.tableName, isDeleting, clock, signal);
    if (state === "deleted") return ensureTable(client, options, clock, signal, beforeCreate);
  }
  if (options.pointInTimeRecovery) await switchOnRecovery(client, options.tableName, signal);
  return outcome;
}

async function describe(
  client: DynamoDB,
  tableName: string,
  signal: AbortSignal,
): Promise<TableDescription | undefined> {
  try {
    const { Table } = await client.describeTable({ TableName: tableName }, { abortSignal: signal });
    return Table;
  } catch (error) {
    if (isTableMissing(error)) return undefined;
    throw error;
  }
}

async function create(
  client: DynamoDB,
  { tableName, deletionProtection }: TableOptions,
  signal: AbortSignal,
): Promise<"created" | "existed"> {
  try {
    await client.createTable(
      {
        TableName: tableName,
        AttributeDefinitions: [{ AttributeName: ATTRIBUTES.key, AttributeType: "S" }],
        KeySchema: [{ AttributeName: ATTRIBUTES.key, KeyType: "HASH" }],
        BillingMode: "PAY_PER_REQUEST",
        DeletionProtectionEnabled: deletionProtection,
      },
      { abortSignal: signal },
    );
    return "created";
  } catch (error) {
    // Another worker created it first.
    if (error instanceof Error && error.name === "ResourceInUseException") return "existed";
    throw error;
  }
}

async function untilActive(
  client: DynamoDB,
  tableName: string,
  isDeleting: boolean,
  clock: Clock,
  signal: AbortSignal,
): Promise<"active" | "deleted"> {
  let deleting = isDeleting;
  const giveUpMs = clock.monotonicMs() + ACTIVE_WITHIN_MS;
  for (let attempt = 0; ; attempt++) {
    const found = await describe(client, tableName, signal);
    if (found?.TableStatus === "ACTIVE" || found?.TableStatus === "UPDATING") {
      checkKey(found, tableName);
      return "active";
    }
    // Only a table that was seen in the state DELETING was deleted: a new one may be invisible at
    // first.
    if (!found && deleting) return "deleted";
    deleting = found?.TableStatus === "DELETING";
    if (clock.monotonicMs() > giveUpMs) {
      throw new UserError(
        `The lease table "${tableName}" is ${found?.TableStatus ?? "missing"} after ${ACTIVE_WITHIN_MS / 1000} s. ` +
          "Check it in the DynamoDB console, then start again.",
      );
    }
    await clock.sleep(
      backoffMs(attempt, POLL, () => 1),
      signal,
    );
    signal.throwIfAborted();
  }
}

function checkKey({ KeySchema = [], AttributeDefinitions = [] }: TableDescription, name: string) {
  const [hash, ...others] = KeySchema;
  const type = AttributeDefinitions.find((a) => a.AttributeName === hash?.AttributeName);
  if (others.length === 0 && hash?.AttributeName === ATTRIBUTES.key && type?.AttributeType === "S")
    return;
  const key = KeySchema.map((part) => `${part.AttributeName} (${part.KeyType})`).join(", ");
  throw new UserError(
    `The DynamoDB table "${name}" is not a lease table: its key is ${key}, not ${ATTRIBUTES.key} (HASH, string). ` +
      "Choose another applicationName, or name a table for the leases with tableName.",
  );
}

async function switchOnRecovery(
  client: DynamoDB,
  tableName: string,
  signal: AbortSignal,
): Promise<void> {
  await client.updateContinuousBackups(
    {
      TableName: tableName,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    },
    { abortSignal: signal },
  );
}
