// Splits and merges shards while the stream is read.

import {
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  type Shard,
  SplitShardCommand,
} from "@aws-sdk/client-kinesis";
import { systemClock } from "../../src/clock.ts";
import type { Random } from "./random.ts";

const POLL_MS = 50;
export const OPEN_SHARDS_MAX = 6;
export const OPEN_SHARDS_MIN = 2;

export async function untilActive(client: KinesisClient, StreamName: string): Promise<void> {
  for (;;) {
    const found = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
    if (found.StreamDescriptionSummary?.StreamStatus === "ACTIVE") return;
    await systemClock.sleep(POLL_MS);
  }
}

/**
 * Splits or merges at random.
 * @returns what it did, or `undefined` if nothing was possible.
 */
export async function reshard(
  client: KinesisClient,
  StreamName: string,
  random: Random,
): Promise<string | undefined> {
  const open = (await client.send(new ListShardsCommand({ StreamName }))).Shards?.filter(
    (shard) => shard.SequenceNumberRange?.EndingSequenceNumber === undefined,
  );
  if (!open) return undefined;
  const mayMerge = open.length > OPEN_SHARDS_MIN;
  const split = open.length < OPEN_SHARDS_MAX && (!mayMerge || random.next() < 0.5);
  const done = split
    ? await splitOne(client, StreamName, random.oneOf(open))
    : await mergeTwo(client, StreamName, random.oneOf(neighbours(open)));
  await untilActive(client, StreamName);
  return done;
}

async function splitOne(client: KinesisClient, StreamName: string, shard?: Shard) {
  const { ShardId, HashKeyRange: range } = shard ?? {};
  const [low, high] = [range?.StartingHashKey, range?.EndingHashKey];
  if (ShardId === undefined || low === undefined || high === undefined) return undefined;
  const NewStartingHashKey = String((BigInt(low) + BigInt(high)) / 2n + 1n);
  const ask = { StreamName, ShardToSplit: ShardId, NewStartingHashKey };
  await client.send(new SplitShardCommand(ask));
  return `split ${ShardId}`;
}

async function mergeTwo(client: KinesisClient, StreamName: string, pair?: readonly [Shard, Shard]) {
  const [ShardToMerge, AdjacentShardToMerge] = pair?.map(({ ShardId }) => ShardId) ?? [];
  if (ShardToMerge === undefined || AdjacentShardToMerge === undefined) return undefined;
  await client.send(new MergeShardsCommand({ StreamName, ShardToMerge, AdjacentShardToMerge }));
  return `merge ${ShardToMerge} and ${AdjacentShardToMerge}`;
}

function neighbours(shards: readonly Shard[]): readonly (readonly [Shard, Shard])[] {
  const start = (shard: Shard) => BigInt(shard.HashKeyRange?.StartingHashKey ?? 0);
  const end = (shard: Shard) => BigInt(shard.HashKeyRange?.EndingHashKey ?? 0);
  return shards.flatMap((left) =>
    shards
      .filter((right) => start(right) === end(left) + 1n)
      .map((right) => [left, right] as const),
  );
}
