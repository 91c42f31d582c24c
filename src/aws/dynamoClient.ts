// The connection to DynamoDB. The SDK is loaded when the first client is made, so that a command that needs
// none starts without it.

import type { DynamoDB, DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { KeptConnections } from "./connections/keptConnections.ts";
import { makeLean, USER_AGENT } from "./leanClient.ts";
import { renewRefusedKeys } from "./refusedKeys.ts";

export interface DynamoClientOptions {
  /** Absent = the SDK's own chain: environment, shared configuration, instance. */
  readonly region?: string;
  /** Absent = AWS. */
  readonly endpoint?: string;
  /** Absent = the SDK's default chain. */
  readonly credentials?: NonNullable<DynamoDBClientConfig["credentials"]>;
}

/** Renewals of many leases share these; more wait in line. */
const MAX_CONNECTIONS = 32;
const CONNECT_TIMEOUT_MS = 2_000;
/** DynamoDB answers in milliseconds. A request that takes longer is repeated: waiting would cost leases. */
const REQUEST_TIMEOUT_MS = 3_000;
/** A page of a scan has 1 MiB, as DynamoDB counts. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/**
 * The SDK never retries: a conditional write whose answer was lost looks like a lost race when it is simply repeated.
 * Who writes knows what to read before the next attempt.
 */
export async function dynamoClient({
  region,
  endpoint,
  credentials,
}: DynamoClientOptions): Promise<DynamoDB> {
  const { DynamoDB } = await import("@aws-sdk/client-dynamodb");
  const client = new DynamoDB({
    ...USER_AGENT,
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials && { credentials }),
    maxAttempts: 1,
    requestHandler: new KeptConnections({
      maxConnections: MAX_CONNECTIONS,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      maxBodyBytes: MAX_BODY_BYTES,
      allocate: Buffer.allocUnsafe,
    }),
  });
  makeLean(client);
  renewRefusedKeys(client, credentials);
  return client;
}
