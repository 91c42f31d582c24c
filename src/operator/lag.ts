// How far behind is each lease? Asked of the stream itself, behind the checkpoint, because nobody writes it down: one
// GetShardIterator and at least one GetRecords a shard, out of the five a second that all readers of a shard share.

import { inParallel } from "../inParallel.ts";
import { hasEnded, type Lease } from "../leases/lease.ts";
import {
  GetRecords,
  getShardIterator,
  type IteratorPlace,
  placeOf,
} from "../stream/calls/kinesisCalls.ts";
import { kindOfReadError } from "../stream/calls/readErrors.ts";
import type { TargetStream } from "./target.ts";

/** The age in milliseconds of the oldest record that is not checkpointed, 0 when there is none; or why it is not known. */
export type Lag = number | string;

/** Shards asked at a time. */
const CONCURRENCY = 8;
/** An answer without records may still be far from the tip: sparse shards are walked this many steps … */
const MAX_STEPS = 20;
/** … no faster than the service allows, with room for the readers. */
const STEP_PAUSE_MS = 400;

export async function measureLags(
  leases: readonly Lease[],
  source: TargetStream,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Lag>> {
  const lags = new Map<string, Lag>();
  const unfinished = leases.filter((lease) => !hasEnded(lease));
  await inParallel(unfinished, CONCURRENCY, async (lease) => {
    lags.set(lease.shardId, await lagOf(lease, source, signal).catch(whyUnknown));
  });
  return lags;
}

async function lagOf(lease: Lease, source: TargetStream, signal: AbortSignal): Promise<Lag> {
  const { calls, stream, initialPosition } = source;
  const { clock } = calls;
  // Nothing is read before a consumer starts there; until then it is at the tip.
  if (lease.checkpoint.sequenceNumber === "LATEST") return 0;
  const place = behind(placeOf(lease.checkpoint, initialPosition));
  let { iterator } = await getShardIterator(calls, stream, lease.shardId, place, signal);
  for (let step = 0; ; step += 1) {
    const answer = await new GetRecords(calls).call(iterator, 1, undefined, signal);
    const { records, millisBehindLatest = 0, nextShardIterator } = answer;
    // How far the service says the answer is behind says nothing of the one record in it, if that is the last.
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

/** The record at a checkpoint was processed: what counts is the next one. */
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
