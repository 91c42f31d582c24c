// Whether Kinesis reads on from the place of each lease: a number of another stream or shard is refused for good, and only the
// service knows all of them.

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
  const tried = leases.flatMap((lease) => {
    const place = listed.has(lease.shardId) ? placeIn(lease) : undefined;
    return place ? [{ shardId: lease.shardId, place }] : [];
  });
  if (tried.length === 0) return [];
  const refused = new Map<string, string>();
  try {
    await inParallel(tried, CONCURRENCY, async ({ shardId, place }) => {
      try {
        await getShardIterator(calls, stream, shardId, place, signal);
      } catch (error) {
        if (!isRefusedPlace(error)) throw error;
        refused.set(shardId, errorText(error));
      }
    });
  } catch (error) {
    signal.throwIfAborted();
    return [notChecked(CHECK, errorText(error))];
  }
  if (refused.size === 0) {
    return [
      ok(CHECK, `Kinesis reads on from the place of each of ${counted(tried.length, "lease")}`),
    ];
  }
  const lines = [...refused].map(([shardId, text]) => `${shardId}: ${text}`);
  const flags = [...refused.keys()].map((shardId) => `--shard ${shardId}`).join(" ");
  return [
    failed(
      CHECK,
      `Kinesis refuses to read on from the place of ${counted(refused.size, "lease")}, so nobody reads the shard:\n${lines.join("\n")}`,
      `To begin such a shard at its oldest record: checkpoints reset ${flags} --to trim-horizon (or a time).`,
    ),
  ];
}

/** Words are no places that could be refused. */
function placeIn(lease: Lease): IteratorPlace | undefined {
  const { sequenceNumber } = lease.checkpoint;
  if (!isSequenceNumber(sequenceNumber)) return undefined;
  return { type: "AT_SEQUENCE_NUMBER", sequenceNumber };
}
