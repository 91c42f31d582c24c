// Helpers for the shared Kinesis and DynamoDB: clients, streams with unique names, records.

import { randomUUID } from "node:crypto";
import { DescribeTableCommand, DynamoDBClient, ScanCommand } from "@aws-sdk/client-dynamodb";
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  PutRecordsCommand,
  type Shard,
} from "@aws-sdk/client-kinesis";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { inject } from "vitest";
import { LOCAL_CREDENTIALS, LOCAL_REGION } from "../../src/local/services.ts";

const POLL_MS = 20;
const WAIT_LIMIT_MS = 30_000;

/** An SDK client of the shared Kinesis, or of the given endpoint (such as a proxy). */
export function testKinesis(endpoint: string = inject("kinesisUrl")): KinesisClient {
  return quietly(() => new KinesisClient(configuration(endpoint)));
}

/** An SDK client of the shared DynamoDB, or of the given endpoint. */
export function testDynamo(endpoint: string = inject("dynamoUrl")): DynamoDBClient {
  return quietly(() => new DynamoDBClient(configuration(endpoint)));
}

function configuration(endpoint: string) {
  return {
    endpoint,
    region: LOCAL_REGION,
    credentials: LOCAL_CREDENTIALS,
    requestHandler: new NodeHttpHandler(),
  };
}

/**
 * Suppresses the SDK's warning about Node 20, which appears once per process. Programs under test
 * must do this themselves.
 */
function quietly<T>(make: () => T): T {
  const name = "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED";
  const before = process.env[name];
  process.env[name] = "true";
  try {
    return make();
  } finally {
    if (before === undefined) delete process.env[name];
    else process.env[name] = before;
  }
}

/**
 * The environment that points the SDK of a child process (a daemon, a command) at the shared
 * services.
 */
export function emulatorEnv(): Record<string, string> {
  return {
    AWS_ENDPOINT_URL_KINESIS: inject("kinesisUrl"),
    AWS_ENDPOINT_URL_DYNAMODB: inject("dynamoUrl"),
    AWS_REGION: LOCAL_REGION,
    AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
  };
}

/** A unique name such as `words-1b9d6bcd`. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/** Creates a stream with a unique name, waits until it is ACTIVE and returns the name. */
export async function createStream(prefix: string, shards: number): Promise<string> {
  const client = testKinesis();
  const StreamName = uniqueName(prefix);
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: shards }));
  await streamActive(StreamName);
  client.destroy();
  return StreamName;
}

/** Waits until a stream is ACTIVE, after its creation or after a split or merge. */
export async function streamActive(streamName: string): Promise<void> {
  const client = testKinesis();
  await until(`stream ${streamName} to be ACTIVE`, async () => {
    const found = await client.send(new DescribeStreamSummaryCommand({ StreamName: streamName }));
    return found.StreamDescriptionSummary?.StreamStatus === "ACTIVE";
  });
  client.destroy();
}

/** All shards of a stream, open and closed. */
export async function shardsOf(streamName: string): Promise<readonly Shard[]> {
  const client = testKinesis();
  const found = await client.send(new ListShardsCommand({ StreamName: streamName }));
  client.destroy();
  return found.Shards ?? [];
}

export interface PutRecord {
  readonly shardId: string;
  readonly sequenceNumber: string;
}

/**
 * Puts each word as one record, with the given partition key or one that spreads the words over the
 * shards. Returns where they were stored, in the order of the words.
 */
export async function put(
  streamName: string,
  words: readonly string[],
  partitionKey?: string,
): Promise<readonly PutRecord[]> {
  const client = testKinesis();
  const put: PutRecord[] = [];
  // PutRecords accepts at most 500 records per call.
  for (let start = 0; start < words.length; start += 500) {
    const answer = await client.send(
      new PutRecordsCommand({
        StreamName: streamName,
        Records: words.slice(start, start + 500).map((word) => ({
          Data: Buffer.from(word),
          PartitionKey: partitionKey ?? randomUUID(),
        })),
      }),
    );
    for (const { ShardId, SequenceNumber, ErrorCode } of answer.Records ?? []) {
      if (!ShardId || !SequenceNumber)
        throw new Error(`The emulator refused a record: ${ErrorCode}`);
      put.push({ shardId: ShardId, sequenceNumber: SequenceNumber });
    }
  }
  client.destroy();
  return put;
}

/** All records of a stream (or of one shard) as text, shard by shard. */
export async function wordsIn(streamName: string, shardId?: string): Promise<readonly string[]> {
  const client = testKinesis();
  const words: string[] = [];
  const shards = shardId ? [shardId] : (await shardsOf(streamName)).map((shard) => shard.ShardId);
  for (const ShardId of shards) {
    const start = { StreamName: streamName, ShardId, ShardIteratorType: "TRIM_HORIZON" } as const;
    let iterator = (await client.send(new GetShardIteratorCommand(start))).ShardIterator;
    while (iterator) {
      const found = await client.send(new GetRecordsCommand({ ShardIterator: iterator }));
      for (const { Data } of found.Records ?? []) words.push(Buffer.from(Data ?? []).toString());
      iterator = found.MillisBehindLatest === 0 ? undefined : found.NextShardIterator;
    }
  }
  client.destroy();
  return words;
}

/** One row of the lease table, attribute by attribute, without DynamoDB's type letters. */
export type LeaseItem = Readonly<Record<string, string | undefined>>;

/**
 * The rows of a lease table by lease key (with one stream: the shard id). Empty while there is no
 * table.
 */
export async function leaseItems(
  tableName: string,
  endpoint?: string,
): Promise<ReadonlyMap<string, LeaseItem>> {
  const client = testDynamo(endpoint);
  try {
    await client.send(new DescribeTableCommand({ TableName: tableName }));
    const found = await client.send(
      new ScanCommand({ TableName: tableName, ConsistentRead: true }),
    );
    return new Map(
      (found.Items ?? []).map((item) => [
        item["leaseKey"]?.S ?? "",
        Object.fromEntries(
          Object.entries(item).map(([name, value]) => [
            name,
            value.S ?? value.N ?? JSON.stringify(value.SS ?? value.L ?? value.BOOL ?? null),
          ]),
        ),
      ]),
    );
  } catch (error) {
    if (error instanceof Error && error.name === "ResourceNotFoundException") return new Map();
    throw error;
  } finally {
    client.destroy();
  }
}

/**
 * Repeats the check until it succeeds.
 * @throws after the time limit, with what was waited for.
 */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs: number = WAIT_LIMIT_MS,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > deadline)
      throw new Error(`Timed out after ${limitMs} ms waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
