// The oldest records of a stream, without a lease: for commands that show what would happen.

import type { Settings } from "../config/settings.ts";
import type { KinesisRecord } from "../model/batch.ts";
import { disaggregator } from "../records/kpl/disaggregate.ts";
import { GetRecords, getShardIterator } from "../stream/calls/kinesisCalls.ts";
import { listShardsOnce } from "../stream/listing/listShards.ts";
import { openStreams, quietSdk, type TargetStream } from "./target.ts";

export type PeekedRecord = KinesisRecord & { readonly shardId: string };

/** The most GetRecords calls for one shard: old shards may have long stretches without records. */
const CALLS_MAX = 20;

/** @returns at most `count` records, those of the first shard of the first stream first. */
export async function peek(
  settings: Settings,
  count: number,
  signal: AbortSignal,
): Promise<readonly PeekedRecord[]> {
  quietSdk();
  const found: PeekedRecord[] = [];
  const targets = await openStreams(settings);
  try {
    for (const target of targets) await peekStream(target, count, found, signal);
  } finally {
    for (const { calls } of targets) calls.client.destroy();
  }
  return found.slice(0, count);
}

async function peekStream(
  { calls, stream }: TargetStream,
  count: number,
  found: PeekedRecord[],
  signal: AbortSignal,
): Promise<void> {
  for (const { shardId, hashKeyRange } of await listShardsOnce(calls, stream, undefined, signal)) {
    const nothing = () => undefined;
    const disaggregate = disaggregator(hashKeyRange, nothing, nothing);
    const start = { type: "TRIM_HORIZON" } as const;
    const { iterator } = await getShardIterator(calls, stream, shardId, start, signal);
    const getRecords = new GetRecords(calls, shardId);
    let next: string | undefined = iterator;
    for (let made = 0; next !== undefined && made < CALLS_MAX; made += 1) {
      if (found.length >= count) return;
      const response = await getRecords.call(next, count - found.length, disaggregate, signal);
      const { records } = response;
      for (let index = 0; index < records.count; index += 1) {
        found.push({ ...records.at(index), shardId });
      }
      next = response.millisBehindLatest === 0 ? undefined : response.nextShardIterator;
    }
  }
}
