// The program's DynamoDB client. The SDK is loaded when the first client is made, so commands that
// do not use DynamoDB start faster.

import type {
  DynamoDB,
  DynamoDBClientConfig,
  UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import type { Emit } from "../events.ts";
import { removeOverhead, USER_AGENT } from "./clientOverhead.ts";
import { KeptConnections } from "./connections/keptConnections.ts";
import { renewRefusedKeys } from "./refusedKeys.ts";
import { RepeatedCall } from "./repeatedCall.ts";
import { watchCalls } from "./watchedCalls.ts";

export interface DynamoClientOptions {
  /** Absent = from the SDK: environment, shared configuration, instance metadata. */
  readonly region?: string;
  /** Absent = AWS. */
  readonly endpoint?: string;
  /** Absent = the SDK's default chain. */
  readonly credentials?: NonNullable<DynamoDBClientConfig["credentials"]>;
  /** Receives an event for each call. */
  readonly emit?: Emit;
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
export async function dynamoClient({ emit, ...options }: DynamoClientOptions): Promise<DynamoDB> {
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
  watchCalls(client, "dynamodb", emit);
  return client;
}

/** UpdateItem, which renews leases and stores checkpoints. For values without bytes. */
export function itemUpdates({
  config,
  middlewareStack,
}: DynamoDB): RepeatedCall<UpdateItemCommandInput> {
  return new RepeatedCall({
    name: "UpdateItem",
    config,
    send: async (input, requestHandler, abortSignal) => {
      const { UpdateItemCommand } = await import("@aws-sdk/client-dynamodb");
      const command = new UpdateItemCommand(input);
      const options = { ...config, requestHandler };
      return command.resolveMiddleware(middlewareStack, options, { abortSignal })({ input });
    },
  });
}
