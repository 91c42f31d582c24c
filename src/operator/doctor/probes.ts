// A call for each permission, that changes nothing: reads, writes whose condition cannot hold, and questions about things
// that do not exist. IAM answers before the service looks, so any answer but "denied" will do.

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
  /** From `subscriptionClient`; used, if at all, for one call. */
  readonly subscriptions: KinesisClient;
  readonly dynamo: Awaited<ReturnType<typeof dynamoClient>>;
  readonly streamCheck: StreamCheck;
  /** Why nothing can be tried on the table; `undefined` = it can. */
  readonly noTable: string | undefined;
  readonly hasTable: boolean;
  /** Workers of KCL 3.x have made their index of owners. */
  readonly hasIndex: boolean;
  readonly signal: AbortSignal;
}

/** Nothing was denied, or why it was not tried. */
export type Outcome = "allowed" | { readonly untried: string };

type Probe = (parts: ProbeParts) => Promise<Outcome>;

/** The answers that say that IAM let the call through. */
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
/** No row is there and not there. */
const NEVER = `attribute_exists(${A.key}) AND attribute_not_exists(${A.key})`;

export const PROBES: Readonly<Record<string, Probe>> = {
  "kinesis:ListShards": async ({ streamCheck }) => rethrown(streamCheck.listed),
  "kinesis:DescribeStreamSummary": async ({ streamCheck }) => rethrown(streamCheck.described),
  "kinesis:GetShardIterator": async (parts) => {
    const shardId = anyShard(parts);
    if (shardId === undefined) return { untried: "no shard is known" };
    await iterator(parts, shardId);
    return "allowed";
  },
  "kinesis:GetRecords": async (parts) => {
    const { calls, signal } = parts;
    const shardId = anyShard(parts);
    if (shardId === undefined) return { untried: "no shard is known" };
    let start: string;
    try {
      start = await iterator(parts, shardId);
    } catch {
      return { untried: "it needs an iterator" };
    }
    // One record, from the oldest on: if there is any, its key is needed. One of the five reads a second of one shard.
    await new GetRecords(calls).call(start, 1, undefined, signal);
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
      untried: isThere
        ? "not needed: the consumer is registered"
        : "it would register a consumer, which costs money",
    };
  },
  "kinesis:SubscribeToShard": async ({ streamCheck, settings, calls, subscriptions, signal }) => {
    const arn = streamCheck.facts?.summary?.StreamARN ?? settings.streamArn?.arn;
    if (arn === undefined) return { untried: "the stream's ARN is not known" };
    const { consumerArn, consumerName } = settings.fanoutConfig;
    // Registered at no time: a subscription that came about would take the daemon's away.
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
    asked(() => dynamo.describeTable({ TableName: settings.tableName }, { abortSignal: signal })),
  "dynamodb:Scan": ({ dynamo, settings, signal }) =>
    asked(() => dynamo.scan({ TableName: settings.tableName, Limit: 1 }, { abortSignal: signal })),
  "dynamodb:Query": ({ dynamo, settings, signal }) =>
    asked(() =>
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
  // Without it a fleet of KCL 3.0 to 3.4 is not seen.
  "dynamodb:BatchGetItem": ({ dynamo, settings, signal }) => {
    const Keys = [{ key: { S: NOBODY } }];
    const RequestItems = { [settings.coordinatorStateTableName]: { Keys } };
    return asked(() => dynamo.batchGetItem({ RequestItems }, { abortSignal: signal }));
  },
  "dynamodb:GetItem": ({ dynamo, settings, signal }) =>
    asked(() => dynamo.getItem(nobody(settings), { abortSignal: signal })),
  "dynamodb:PutItem": ({ dynamo, settings, signal }) => {
    const { TableName, Key: Item } = nobody(settings);
    const request = { TableName, Item, ConditionExpression: NEVER };
    return asked(() => dynamo.putItem(request, { abortSignal: signal }));
  },
  "dynamodb:UpdateItem": ({ dynamo, settings, signal }) => {
    const update = { UpdateExpression: `REMOVE ${A.owner}`, ConditionExpression: NEVER };
    return asked(() =>
      dynamo.updateItem({ ...nobody(settings), ...update }, { abortSignal: signal }),
    );
  },
  "dynamodb:DeleteItem": ({ dynamo, settings, signal }) => {
    const request = { ...nobody(settings), ConditionExpression: NEVER };
    return asked(() => dynamo.deleteItem(request, { abortSignal: signal }));
  },
  "dynamodb:CreateTable": async () => ({ untried: "it would make the table" }),
};

/** Also of a table that does not exist yet. */
function asked(call: () => Promise<unknown>): Promise<Outcome> {
  return letThrough(call, "ConditionalCheckFailedException", "ResourceNotFoundException");
}

function nobody({ tableName }: Settings) {
  return { TableName: tableName, Key: { [A.key]: { S: NOBODY } } };
}

/** What an earlier check met. */
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
