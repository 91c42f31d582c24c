// How far behind is each lease? The table does not store it, so we ask the stream for the first
// record after the checkpoint. That takes one GetShardIterator call and at least one GetRecords
// call for each shard, out of the five a second that all readers of a shard share.

import { inParallel } from "../inParallel.ts";
import { hasEnded, type Lease } from "../leases/lease.ts";
import { parseStreamShard } from "../model/shardKey.ts";
import {
  GetRecords,
  getShardIterator,
  type IteratorPlace,
  placeOf,
} from "../stream/calls/kinesisCalls.ts";
import { kindOfReadError } from "../stream/calls/readErrors.ts";
import type { TargetStream } from "./target.ts";

/**
 * The age of the oldest record that is not checkpointed, in milliseconds; 0 when there is no such
 * record. A text says why the age is not known.
 */
export type Lag = number | string;

/** The number of shards that are read at the same time. */
const CONCURRENCY = 8;
/**
 * The most reads of one shard. A response without records may still be far from the tip of a sparse
 * shard.
 */
const MAX_STEPS = 20;
/**
 * The pause between two reads of a shard. It leaves most of the five reads a second to the shard's
 * other readers.
 */
const STEP_PAUSE_MS = 400;

export async function measureLags(
  leases: readonly Lease[],
  sources: readonly TargetStream[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Lag>> {
  const lags = new Map<string, Lag>();
  const unfinished = leases.filter((lease) => !hasEnded(lease));
  await inParallel(unfinished, CONCURRENCY, async (lease) => {
    const name = parseStreamShard(lease.shardId)?.streamName;
    const source = sources.find((each) => name === undefined || each.name === name);
    const lag = source ? lagOf(lease, source, signal).catch(whyUnknown) : "a stream not read here";
    lags.set(lease.shardId, await lag);
  });
  return lags;
}

async function lagOf(lease: Lease, source: TargetStream, signal: AbortSignal): Promise<Lag> {
  const { calls, stream, initialPosition } = source;
  const { clock } = calls;
  // LATEST means the tip of the shard until a consumer starts there.
  if (lease.checkpoint.sequenceNumber === "LATEST") return 0;
  const place = behind(placeOf(lease.checkpoint, initialPosition));
  let { iterator } = await getShardIterator(calls, stream, lease.shardId, place, signal);
  for (let step = 0; ; step += 1) {
    const answer = await new GetRecords(calls, lease.shardId).call(iterator, 1, undefined, signal);
    const { records, millisBehindLatest = 0, nextShardIterator } = answer;
    // millisBehindLatest concerns the response, not the record in it: it is 0 when that record is
    // the last one.
    if (records.count > 0) {
      const ageMs = clock.now() - records.at(0).approximateArrivalTimestamp;
      return Math.max(millisBehindLatest, ageMs, 0);
    }
    if (millisBehindLatest === 0 || !nextShardIterator || step === MAX_STEPS) {
      return millisBehindLatest;
    }
    iterator = nextShardIterator;
    await clock.sleep(STEP_PAUSE_MS, signal);
  }
}

/** The record at the checkpoint was processed, so reading begins after it. */
function behind(place: IteratorPlace): IteratorPlace {
  if (place.type !== "AT_SEQUENCE_NUMBER") return place;
  return { type: "AFTER_SEQUENCE_NUMBER", sequenceNumber: place.sequenceNumber };
}

function whyUnknown(error: unknown): string {
  switch (kindOfReadError(error)) {
    case "notFound":
      return "no such shard";
    case "throttled":
      return "throttled";
    case "denied":
      return "access denied";
    case "iteratorGone":
      return "not a position of this shard";
    default:
      return error instanceof Error ? error.name : "unknown";
  }
}
