// Checks whether Kinesis accepts the checkpoint of each lease. It never accepts a sequence number
// of another stream or shard, and only Kinesis knows which numbers are valid.

import { inParallel } from "../../inParallel.ts";
import type { Lease } from "../../leases/lease.ts";
import { isSequenceNumber } from "../../model/position.ts";
import type { Shard } from "../../model/shard.ts";
import { counted } from "../../plural.ts";
import {
  type CallOptions,
  getShardIterator,
  type IteratorPlace,
} from "../../stream/calls/kinesisCalls.ts";
import { isRefusedPlace } from "../../stream/calls/readErrors.ts";
import type { StreamId } from "../../stream/calls/streamId.ts";
import { errorText, type Finding, failed, notChecked, ok } from "./finding.ts";

const CHECK = "lease places";
const CONCURRENCY = 8;

export async function checkPlaces(
  leases: readonly Lease[],
  shards: readonly Shard[],
  stream: StreamId,
  calls: CallOptions,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const listed = new Set(shards.map(({ shardId }) => shardId));
  const tested = leases.flatMap((lease) => {
    const place = listed.has(lease.shardId) ? placeIn(lease) : undefined;
    return place ? [{ shardId: lease.shardId, place }] : [];
  });
  if (tested.length === 0) return [];
  const rejected = new Map<string, string>();
  try {
    await inParallel(tested, CONCURRENCY, async ({ shardId, place }) => {
      try {
        await getShardIterator(calls, stream, shardId, place, signal);
      } catch (error) {
        if (!isRefusedPlace(error)) throw error;
        rejected.set(shardId, errorText(error));
      }
    });
  } catch (error) {
    signal.throwIfAborted();
    return [notChecked(CHECK, errorText(error))];
  }
  if (rejected.size === 0) {
    return [ok(CHECK, `Kinesis accepts the checkpoint of ${counted(tested.length, "lease")}`)];
  }
  const lines = [...rejected].map(([shardId, text]) => `${shardId}: ${text}`);
  const flags = [...rejected.keys()].map((shardId) => `--shard ${shardId}`).join(" ");
  return [
    failed(
      CHECK,
      `Kinesis rejects the checkpoint of ${counted(rejected.size, "lease")}, so no worker can read the shard:\n${lines.join("\n")}`,
      `Run checkpoints reset ${flags} --to trim-horizon (or a time), which begins at the shard's oldest record.`,
    ),
  ];
}

/** Only sequence numbers are tested: Kinesis accepts every other position. */
function placeIn(lease: Lease): IteratorPlace | undefined {
  const { sequenceNumber } = lease.checkpoint;
  if (!isSequenceNumber(sequenceNumber)) return undefined;
  return { type: "AT_SEQUENCE_NUMBER", sequenceNumber };
}
