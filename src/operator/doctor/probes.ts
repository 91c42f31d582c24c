// For each permission, a call that changes nothing: a read, a write whose condition is always
// false, or a request for something that does not exist. IAM decides before the service does, so
// any response except a denial shows that the permission is there.

import {
  DescribeStreamConsumerCommand,
  type KinesisClient,
  SubscribeToShardCommand,
} from "@aws-sdk/client-kinesis";
import type { dynamoClient } from "../../aws/dynamoClient.ts";
import { limited } from "../../aws/limited.ts";
import type { Settings } from "../../config/settings.ts";
import { OWNER_INDEX } from "../../leases/kcl3/fleetTables.ts";
import { ATTRIBUTES as A } from "../../leases/table/dynamoItem.ts";
import { type CallOptions, GetRecords, getShardIterator } from "../../stream/calls/kinesisCalls.ts";
import type { StreamId } from "../../stream/calls/streamId.ts";
import type { StreamCheck } from "./stream.ts";

export interface ProbeParts {
  readonly settings: Settings;
  readonly stream: StreamId;
  readonly calls: CallOptions;
  /** From `subscriptionClient`; used for one call at most. */
  readonly subscriptions: KinesisClient;
  readonly dynamo: Awaited<ReturnType<typeof dynamoClient>>;
  readonly streamCheck: StreamCheck;
  /** Why no permission can be tested on the table; `undefined` when they can be tested. */
  readonly noTable: string | undefined;
  readonly hasTable: boolean;
  /** True when the table has the index of owners, which workers of KCL 3.x create. */
  readonly hasIndex: boolean;
  readonly signal: AbortSignal;
}

/** Not denied, or the reason why the permission was not tested. */
export type Outcome = "allowed" | { readonly untested: string };

type Probe = (parts: ProbeParts) => Promise<Outcome>;

/** Makes the call. Errors with these names mean that IAM has allowed it. */
async function letThrough(
  call: () => Promise<unknown>,
  ...names: readonly string[]
): Promise<Outcome> {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof Error && names.includes(error.name))) throw error;
  }
  return "allowed";
}

const NOBODY = "kinesis-multilang-doctor";
/** Always false: no row exists and does not exist. */
const NEVER = `attribute_exists(${A.key}) AND attribute_not_exists(${A.key})`;

export const PROBES: Readonly<Record<string, Probe>> = {
  "kinesis:ListShards": async ({ streamCheck }) => rethrown(streamCheck.listed),
  "kinesis:DescribeStreamSummary": async ({ streamCheck }) => rethrown(streamCheck.described),
  "kinesis:GetShardIterator": async (parts) => {
    const shardId = anyShard(parts);
    if (shardId === undefined) return { untested: "no open shard is known" };
    await iterator(parts, shardId);
    return "allowed";
  },
  "kinesis:GetRecords": async (parts) => {
    const { calls, signal } = parts;
    const shardId = anyShard(parts);
    if (shardId === undefined) return { untested: "no open shard is known" };
    let start: string;
    try {
      start = await iterator(parts, shardId);
    } catch {
      return { untested: "the test call needs a shard iterator" };
    }
    // Reads one record, from the oldest on. If there is one, Kinesis needs the stream's encryption
    // key. This is one of the five reads a second of one shard.
    await new GetRecords(calls, shardId).call(start, 1, undefined, signal);
    return "allowed";
  },
  "kinesis:DescribeStreamConsumer": (parts) =>
    letThrough(() => describeConsumer(parts), "ResourceNotFoundException"),
  "kinesis:RegisterStreamConsumer": async (parts) => {
    const isThere = await describeConsumer(parts).then(
      () => true,
      () => false,
    );
    return {
      untested: isThere
        ? "not needed, because the consumer is registered"
        : "a test call would register a consumer, which costs money",
    };
  },
  "kinesis:SubscribeToShard": async ({ streamCheck, settings, calls, subscriptions, signal }) => {
    const arn = streamCheck.facts?.summary?.StreamARN ?? settings.streamArn?.arn;
    if (arn === undefined) return { untested: "the stream's ARN is not known" };
    const { consumerArn, consumerName } = settings.fanoutConfig;
    // An ARN that was never registered: a successful subscription would end the daemon's own.
    const ConsumerARN = `${consumerArn?.replace(/:\d+$/, "") ?? `${arn}/consumer/${consumerName}`}:1`;
    const StartingPosition = { Type: "LATEST" } as const;
    const command = new SubscribeToShardCommand({
      ConsumerARN,
      ShardId: "shardId-000000000000",
      StartingPosition,
    });
    return letThrough(
      () =>
        limited(calls, "SubscribeToShard", signal, (abortSignal) =>
          subscriptions.send(command, { abortSignal }),
        ),
      ...["ResourceNotFoundException", "InvalidArgumentException", "ValidationException"],
    );
  },
  "dynamodb:DescribeTable": ({ dynamo, settings, signal }) =>
    allowedOnTable(() =>
      dynamo.describeTable({ TableName: settings.tableName }, { abortSignal: signal }),
    ),
  "dynamodb:Scan": ({ dynamo, settings, signal }) =>
    allowedOnTable(() =>
      dynamo.scan({ TableName: settings.tableName, Limit: 1 }, { abortSignal: signal }),
    ),
  "dynamodb:Query": ({ dynamo, settings, signal }) =>
    allowedOnTable(() =>
      dynamo.query(
        {
          TableName: settings.tableName,
          IndexName: OWNER_INDEX,
          KeyConditionExpression: `${A.owner} = :nobody`,
          ExpressionAttributeValues: { ":nobody": { S: NOBODY } },
          Limit: 1,
        },
        { abortSignal: signal },
      ),
    ),
  // Without this permission, the daemon does not notice a fleet of KCL 3.0 to 3.4.
  "dynamodb:BatchGetItem": ({ dynamo, settings, signal }) => {
    const Keys = [{ key: { S: NOBODY } }];
    const RequestItems = { [settings.coordinatorStateTableName]: { Keys } };
    return allowedOnTable(() => dynamo.batchGetItem({ RequestItems }, { abortSignal: signal }));
  },
  "dynamodb:GetItem": ({ dynamo, settings, signal }) =>
    allowedOnTable(() => dynamo.getItem(nobody(settings), { abortSignal: signal })),
  "dynamodb:PutItem": ({ dynamo, settings, signal }) => {
    const { TableName, Key: Item } = nobody(settings);
    const request = { TableName, Item, ConditionExpression: NEVER };
    return allowedOnTable(() => dynamo.putItem(request, { abortSignal: signal }));
  },
  "dynamodb:UpdateItem": ({ dynamo, settings, signal }) => {
    const update = { UpdateExpression: `REMOVE ${A.owner}`, ConditionExpression: NEVER };
    return allowedOnTable(() =>
      dynamo.updateItem({ ...nobody(settings), ...update }, { abortSignal: signal }),
    );
  },
  "dynamodb:DeleteItem": ({ dynamo, settings, signal }) => {
    const request = { ...nobody(settings), ConditionExpression: NEVER };
    return allowedOnTable(() => dynamo.deleteItem(request, { abortSignal: signal }));
  },
  "dynamodb:CreateTable": async () => ({ untested: "a test call would create the table" }),
};

/** Also for a table that does not exist yet. */
function allowedOnTable(call: () => Promise<unknown>): Promise<Outcome> {
  return letThrough(call, "ConditionalCheckFailedException", "ResourceNotFoundException");
}

function nobody({ tableName }: Settings) {
  return { TableName: tableName, Key: { [A.key]: { S: NOBODY } } };
}

/** The outcome of a call that an earlier check has made. */
function rethrown(error: unknown): Outcome {
  if (error !== undefined) throw error;
  return "allowed";
}

function anyShard({ streamCheck }: ProbeParts): string | undefined {
  const shards = streamCheck.facts?.shards ?? [];
  return shards.find(({ endingSequenceNumber }) => endingSequenceNumber === undefined)?.shardId;
}

async function iterator({ calls, stream, signal }: ProbeParts, shardId: string): Promise<string> {
  const place = { type: "TRIM_HORIZON" } as const;
  return (await getShardIterator(calls, stream, shardId, place, signal)).iterator;
}

function describeConsumer({ streamCheck, settings, calls, signal }: ProbeParts) {
  const StreamARN = streamCheck.facts?.summary?.StreamARN ?? settings.streamArn?.arn;
  const { consumerArn, consumerName } = settings.fanoutConfig;
  const named = consumerArn
    ? { ConsumerARN: consumerArn }
    : { StreamARN, ConsumerName: consumerName };
  const command = new DescribeStreamConsumerCommand(named);
  return limited(calls, "DescribeStreamConsumer", signal, (abortSignal) =>
    calls.client.send(command, { abortSignal }),
  );
}
