// Lists the shards of a stream, and splits and merges them for the fleet scenario.

import {
  type KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  type Shard,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { streamActive } from "../support/emulators.ts";

/** The open shards in the order of their hash keys, so neighbours are adjacent. */
export async function openShards(
  client: KinesisClient,
  StreamName: string,
): Promise<readonly Shard[]> {
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName }));
  const start = ({ HashKeyRange }: Shard) => BigInt(HashKeyRange?.StartingHashKey ?? 0);
  return Shards.filter(
    ({ SequenceNumberRange }) => SequenceNumberRange?.EndingSequenceNumber === undefined,
  ).toSorted((a, b) => (start(a) < start(b) ? -1 : 1));
}

/** Splits the first of four shards in the middle and merges the last two. */
export async function splitAndMerge(client: KinesisClient, StreamName: string): Promise<void> {
  const [first, , third, fourth] = await openShards(client, StreamName);
  const { StartingHashKey = "0", EndingHashKey = "0" } = first?.HashKeyRange ?? {};
  await client.send(
    new SplitShardCommand({
      StreamName,
      ShardToSplit: first?.ShardId,
      NewStartingHashKey: String((BigInt(StartingHashKey) + BigInt(EndingHashKey)) / 2n),
    }),
  );
  await streamActive(StreamName);
  await client.send(
    new MergeShardsCommand({
      StreamName,
      ShardToMerge: third?.ShardId,
      AdjacentShardToMerge: fourth?.ShardId,
    }),
  );
  await streamActive(StreamName);
}
