// The program's DynamoDB client. The SDK is loaded when the first client is made, so commands that
// do not use DynamoDB start faster.

import type { DynamoDB, DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { removeOverhead, USER_AGENT } from "./clientOverhead.ts";
import { KeptConnections } from "./connections/keptConnections.ts";
import { renewRefusedKeys } from "./refusedKeys.ts";

export interface DynamoClientOptions {
  /** Absent = from the SDK: environment, shared configuration, instance metadata. */
  readonly region?: string;
  /** Absent = AWS. */
  readonly endpoint?: string;
  /** Absent = the SDK's default chain. */
  readonly credentials?: NonNullable<DynamoDBClientConfig["credentials"]>;
  readonly useDualstackEndpoint?: boolean;
  readonly useFipsEndpoint?: boolean;
}

/** The renewals of all leases share these connections. With more calls in flight, calls wait. */
const MAX_CONNECTIONS = 32;
const CONNECT_TIMEOUT_MS = 2_000;
/** DynamoDB responds within milliseconds. A longer wait would risk leases; the caller repeats. */
const REQUEST_TIMEOUT_MS = 3_000;
/** A page of a scan is at most 1 MiB as DynamoDB counts; its JSON is longer. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

/**
 * This client never retries. When the response to a conditional write is lost and the write is
 * repeated, the repetition fails as if another worker had won. The caller re-reads the row first.
 */
export async function dynamoClient(options: DynamoClientOptions): Promise<DynamoDB> {
  const { DynamoDB } = await import("@aws-sdk/client-dynamodb");
  const client = new DynamoDB({
    ...USER_AGENT,
    ...options,
    maxAttempts: 1,
    requestHandler: new KeptConnections({
      maxConnections: MAX_CONNECTIONS,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      maxBodyBytes: MAX_BODY_BYTES,
      allocate: Buffer.allocUnsafe,
    }),
  });
  removeOverhead(client);
  renewRefusedKeys(client, options.credentials);
  return client;
}
