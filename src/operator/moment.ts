// Asks the stream about the point to go to: which shards exist, which of them were open at that
// moment, and where the moment lies in each of them.

import { inParallel } from "../inParallel.ts";
import { findHole } from "../leases/decisions/hashRangeHole.ts";
import type { Lease } from "../leases/lease.ts";
import { UserError } from "../model/errors.ts";
import { isSequenceNumber, type Position } from "../model/position.ts";
import { canHold, type Shard, type ShardFilter } from "../model/shard.ts";
import { inStream } from "../model/shardKey.ts";
import { counted } from "../plural.ts";
import { getShardIterator } from "../stream/calls/kinesisCalls.ts";
import { kindOfReadError } from "../stream/calls/readErrors.ts";
import { listShardsOnce } from "../stream/listing/listShards.ts";
import { lastBefore } from "./lastBefore.ts";
import { Lineage } from "./lineage.ts";
import { BEGINNING } from "./planRules.ts";
import type { PlanView } from "./planTypes.ts";
import { type StartingPoint, startingPointText } from "./startingPoint.ts";
import type { TargetStream } from "./target.ts";

/** The number of shards that are searched at the same time. */
const CONCURRENCY = 8;

export type Progress = (message: string) => void;

/**
 * @param asked the shards to move; `undefined` for all shards.
 * @throws UserError when the stream has no such point, and the SDK's errors.
 */
export async function viewAt(
  point: StartingPoint,
  asked: readonly string[] | undefined,
  leases: readonly Lease[],
  source: TargetStream,
  progress: Progress,
  signal: AbortSignal,
): Promise<PlanView> {
  const shards = await list(source, undefined, signal);
  const lineage = new Lineage(shards, leases);
  const view = { leases, shards, lineage, asked };
  if (point.type === "record") {
    const shard = theOneShard(asked, shards);
    await checkRecord(point.position, shard, source, signal);
    const positions = new Map([[shard.shardId, point.position]]);
    return { ...view, front: new Set([shard.shardId]), positions };
  }
  if (point.type === "trim-horizon") {
    const front = await completeFront({ type: "AT_TRIM_HORIZON" }, source, signal);
    if (!front) throw incomplete(point);
    return { ...view, front: idsOf(front), positions: new Map() };
  }
  const timeMs = point.type === "time" ? point.timeMs : source.calls.clock.now();
  const filter: ShardFilter =
    point.type === "latest"
      ? { type: "AT_LATEST" }
      : { type: "AT_TIMESTAMP", timestamp: new Date(timeMs) };
  const listed = await completeFront(filter, source, signal);
  // The stream cannot list the shards of so old a moment. That is harmless if it also holds no
  // record from before that moment.
  const front = listed ?? (await completeFront({ type: "AT_TRIM_HORIZON" }, source, signal));
  if (!front) throw incomplete(point);
  const concerned = front.filter((shard) => isConcerned(shard, asked, lineage));
  const positions = await search(timeMs, concerned, source, progress, signal);
  if (!listed && [...positions.values()].some((position) => position !== BEGINNING)) {
    throw incomplete(point);
  }
  return { ...view, front: idsOf(front), positions };
}

/**
 * The position for each requested shard. A shard that began after the moment gets its beginning. A
 * shard that was closed before the moment gets no position.
 */
export function positionsToSet(
  { positions, lineage, front }: PlanView,
  asked: readonly string[],
  { type }: StartingPoint,
): ReadonlyMap<string, Position> {
  const beginnings = asked.filter(
    (id) => !positions.has(id) && (type === "trim-horizon" || lineage.era(id, front) !== "before"),
  );
  return new Map([...positions, ...beginnings.map((id) => [id, BEGINNING] as const)]);
}

async function search(
  timeMs: number,
  shards: readonly Shard[],
  source: TargetStream,
  progress: Progress,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Position>> {
  const positions = new Map<string, Position>();
  progress(`searching ${counted(shards.length, "shard")} for that moment`);
  await inParallel(shards, CONCURRENCY, async (shard) => {
    positions.set(shard.shardId, (await lastBefore(timeMs, shard, source, signal)) ?? BEGINNING);
  });
  return positions;
}

function isConcerned(
  { shardId }: Shard,
  asked: readonly string[] | undefined,
  lineage: Lineage,
): boolean {
  return !asked || asked.includes(shardId) || lineage.descendants(asked).has(shardId);
}

/** `undefined` when the listed shards do not cover all hash keys. */
async function completeFront(
  filter: ShardFilter,
  source: TargetStream,
  signal: AbortSignal,
): Promise<readonly Shard[] | undefined> {
  const shards = await list(source, filter, signal);
  return findHole(shards.map(({ hashKeyRange }) => hashKeyRange)) ? undefined : shards;
}

async function list(
  { calls, stream, streamId, name }: TargetStream,
  filter: ShardFilter,
  signal: AbortSignal,
): Promise<readonly Shard[]> {
  try {
    const shards = await listShardsOnce(calls, stream, filter, signal);
    return shards.map((shard) => inStream(streamId, shard));
  } catch (error) {
    if (signal.aborted || error instanceof UserError || !(error instanceof Error)) throw error;
    throw new UserError(
      `The shards of stream ${name} cannot be listed (${error.name}: ${error.message}).`,
      { cause: error },
    );
  }
}

function theOneShard(asked: readonly string[] | undefined, shards: readonly Shard[]): Shard {
  const [only, ...others] = asked ?? [];
  if (!only || others.length > 0) {
    throw new UserError(
      "A sequence number belongs to one shard. Name that shard, and no other, with --shard.",
    );
  }
  const shard = shards.find(({ shardId }) => shardId === only);
  if (shard) return shard;
  throw new UserError(
    `The stream does not list ${only}. kinesis-multilang checkpoints show lists the shards that have a lease.`,
  );
}

async function checkRecord(
  { sequenceNumber }: Position,
  shard: Shard,
  { calls, stream }: TargetStream,
  signal: AbortSignal,
): Promise<void> {
  const { shardId, startingSequenceNumber: first, endingSequenceNumber: last } = shard;
  if (isSequenceNumber(sequenceNumber) && !canHold(shard, sequenceNumber)) {
    throw new UserError(
      `The sequence number ${sequenceNumber} is not in ${shardId}, whose numbers go from ${first} ${last ? `to ${last}` : "onwards"}.`,
    );
  }
  const place = { type: "AT_SEQUENCE_NUMBER", sequenceNumber } as const;
  try {
    await getShardIterator(calls, stream, shardId, place, signal);
  } catch (cause) {
    if (!["iteratorGone", "notFound"].includes(kindOfReadError(cause))) throw cause;
    throw new UserError(
      `Kinesis knows no record ${sequenceNumber} in ${shardId}, so a daemon could not continue from there. Check the number and the shard.`,
      { cause },
    );
  }
}

function incomplete(point: StartingPoint): UserError {
  return new UserError(
    `The shards that Kinesis lists for ${startingPointText(point)} do not cover all hash keys, so records would be skipped. Try again when the stream is ACTIVE. If that does not help, choose another moment.`,
  );
}

function idsOf(shards: readonly Shard[]): ReadonlySet<string> {
  return new Set(shards.map(({ shardId }) => shardId));
}
