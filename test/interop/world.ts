// Provides what a transcript needs from a real daemon's surroundings: records on a shard, the end
// of the shard, and another worker's changes to its lease.

import { GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { PutRecordsCommand, type Shard, SplitShardCommand } from "@aws-sdk/client-kinesis";
import { aggregate } from "../records/kpl.ts";
import { streamActive, testDynamo, testKinesis } from "../support/emulators.ts";

export interface SpokenRecord {
  readonly data: string;
  readonly partitionKey: string;
  readonly sequenceNumber: string;
}

/** Splits of one stream are made one after the other. */
let lastSplit: Promise<void> = Promise.resolve();

export class World {
  readonly #stream: string;
  readonly #table: string;
  readonly #dynamoUrl: string;
  readonly #shard: Shard;

  constructor(stream: string, table: string, dynamoUrl: string, shard: Shard) {
    this.#stream = stream;
    this.#table = table;
    this.#dynamoUrl = dynamoUrl;
    this.#shard = shard;
  }

  get shardId(): string {
    return this.#shard.ShardId ?? "";
  }

  get #hashKey(): string {
    return this.#shard.HashKeyRange?.StartingHashKey ?? "0";
  }

  /**
   * Puts the records in one call. Records that share a sequence number are packed into one.
   * @returns the sequence numbers that Kinesis assigned.
   */
  async put(records: readonly SpokenRecord[]): Promise<ReadonlyMap<string, string>> {
    const numbers = [...new Set(records.map(({ sequenceNumber }) => sequenceNumber))];
    const client = testKinesis();
    try {
      const put = await client.send(
        new PutRecordsCommand({
          StreamName: this.#stream,
          Records: numbers.map((number) =>
            this.#entry(records.filter(({ sequenceNumber }) => sequenceNumber === number)),
          ),
        }),
      );
      const got = (put.Records ?? []).map(({ SequenceNumber }) => SequenceNumber ?? "");
      return new Map(numbers.map((number, index) => [number, got[index] ?? ""]));
    } finally {
      client.destroy();
    }
  }

  #entry(records: readonly SpokenRecord[]) {
    const explicitHashKey = this.#hashKey;
    const users = records.map(({ data, partitionKey }) => ({
      data: Buffer.from(data, "base64"),
      partitionKey,
      explicitHashKey,
    }));
    const [only] = users;
    if (users.length === 1 && only) {
      return { Data: only.data, PartitionKey: only.partitionKey, ExplicitHashKey: explicitHashKey };
    }
    return { Data: aggregate(users), PartitionKey: "a", ExplicitHashKey: explicitHashKey };
  }

  async endShard(): Promise<void> {
    const { StartingHashKey = "0", EndingHashKey = "0" } = this.#shard.HashKeyRange ?? {};
    const middle = (BigInt(StartingHashKey) + BigInt(EndingHashKey)) / 2n;
    const split = lastSplit.then(async () => {
      const client = testKinesis();
      const StreamName = this.#stream;
      const NewStartingHashKey = middle.toString();
      await client.send(
        new SplitShardCommand({ StreamName, ShardToSplit: this.shardId, NewStartingHashKey }),
      );
      client.destroy();
      await streamActive(this.#stream);
    });
    lastSplit = split.catch(() => {});
    return split;
  }

  /** Another worker takes the lease. It may also move its checkpoint. */
  async takeLease(checkpoint?: readonly [string, number]): Promise<void> {
    const client = testDynamo(this.#dynamoUrl);
    const moved = checkpoint && { ":c": { S: checkpoint[0] }, ":s": { N: String(checkpoint[1]) } };
    await client.send(
      new UpdateItemCommand({
        TableName: this.#table,
        Key: { leaseKey: { S: this.shardId } },
        UpdateExpression: `SET leaseOwner = :o${moved ? ", checkpoint = :c, checkpointSubSequenceNumber = :s" : ""} ADD leaseCounter :n`,
        ExpressionAttributeValues: { ":o": { S: "another" }, ":n": { N: "5" }, ...moved },
      }),
    );
    client.destroy();
  }

  /** In the notation of a transcript. */
  async stored(): Promise<string> {
    const client = testDynamo(this.#dynamoUrl);
    const Key = { leaseKey: { S: this.shardId } };
    const { Item } = await client.send(
      new GetItemCommand({ TableName: this.#table, Key, ConsistentRead: true }),
    );
    client.destroy();
    return `${Item?.["checkpoint"]?.S} ${Item?.["checkpointSubSequenceNumber"]?.N}`;
  }
}
