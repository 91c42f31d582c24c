// What the stream says of the place that a person wants to go to: which shards there are, which of them were open at
// that moment, and where in them it lies.

import { inParallel } from "../inParallel.ts";
import { findHole } from "../leases/decisions/hashRangeHole.ts";
import type { Lease } from "../leases/lease.ts";
import { UserError } from "../model/errors.ts";
import { isSequenceNumber, type Position } from "../model/position.ts";
import { canHold, type Shard, type ShardFilter } from "../model/shard.ts";
import { counted } from "../plural.ts";
import { getShardIterator } from "../stream/calls/kinesisCalls.ts";
import { kindOfReadError } from "../stream/calls/readErrors.ts";
import { listShardsOnce } from "../stream/listing/listShards.ts";
import { type Destination, describeDestination } from "./destination.ts";
import { lastBefore } from "./lastBefore.ts";
import { Lineage } from "./lineage.ts";
import type { PlanView } from "./plan.ts";
import { BEGINNING } from "./planRules.ts";
import type { TargetStream } from "./target.ts";

/** Shards searched at a time. */
const CONCURRENCY = 8;

export type Progress = (message: string) => void;

/**
 * @param asked the shards to move; `undefined` = all.
 * @throws UserError when the stream has no such place; what the SDK throws.
 */
export async function viewAt(
  destination: Destination,
  asked: readonly string[] | undefined,
  leases: readonly Lease[],
  source: TargetStream,
  progress: Progress,
  signal: AbortSignal,
): Promise<PlanView> {
  const shards = await list(source, undefined, signal);
  const lineage = new Lineage(shards, leases);
  const view = { leases, shards, lineage, asked };
  if (destination.type === "record") {
    const shard = theOneShard(asked, shards);
    await checkRecord(destination.position, shard, source, signal);
    const positions = new Map([[shard.shardId, destination.position]]);
    return { ...view, front: new Set([shard.shardId]), positions };
  }
  if (destination.type === "trim-horizon") {
    const front = await completeFront({ type: "AT_TRIM_HORIZON" }, source, signal);
    if (!front) throw incomplete(destination);
    return { ...view, front: idsOf(front), positions: new Map() };
  }
  const timeMs = destination.type === "time" ? destination.timeMs : source.calls.clock.now();
  const filter: ShardFilter =
    destination.type === "latest"
      ? { type: "AT_LATEST" }
      : { type: "AT_TIMESTAMP", timestamp: new Date(timeMs) };
  const listed = await completeFront(filter, source, signal);
  // The stream does not know so old a moment. That is well if it has no record from before it either.
  const front = listed ?? (await completeFront({ type: "AT_TRIM_HORIZON" }, source, signal));
  if (!front) throw incomplete(destination);
  const concerned = front.filter((shard) => isConcerned(shard, asked, lineage));
  const positions = await search(timeMs, concerned, source, progress, signal);
  if (!listed && [...positions.values()].some((position) => position !== BEGINNING)) {
    throw incomplete(destination);
  }
  return { ...view, front: idsOf(front), positions };
}

/** A shard that began after the moment is set to its beginning; one that was closed by then has no place for it. */
export function positionsToSet(
  { positions, lineage, front }: PlanView,
  asked: readonly string[],
  { type }: Destination,
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
  progress(`looking for that moment in ${counted(shards.length, "shard")}`);
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

/** `undefined` when the listing leaves hash keys out. */
async function completeFront(
  filter: ShardFilter,
  source: TargetStream,
  signal: AbortSignal,
): Promise<readonly Shard[] | undefined> {
  const shards = await list(source, filter, signal);
  return findHole(shards.map(({ hashKeyRange }) => hashKeyRange)) ? undefined : shards;
}

async function list(
  { calls, stream, name }: TargetStream,
  filter: ShardFilter,
  signal: AbortSignal,
): Promise<readonly Shard[]> {
  try {
    return await listShardsOnce(calls, stream, filter, signal);
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
      "A sequence number belongs to one shard: name it with --shard, and only it.",
    );
  }
  const shard = shards.find(({ shardId }) => shardId === only);
  if (shard) return shard;
  throw new UserError(`${only} is no shard that the stream lists.`);
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
      `${sequenceNumber} is not in ${shardId}, whose numbers go from ${first} to ${last ?? "no end yet"}.`,
    );
  }
  const place = { type: "AT_SEQUENCE_NUMBER", sequenceNumber } as const;
  try {
    await getShardIterator(calls, stream, shardId, place, signal);
  } catch (cause) {
    if (!["iteratorGone", "notFound"].includes(kindOfReadError(cause))) throw cause;
    throw new UserError(
      `Kinesis knows no record ${sequenceNumber} in ${shardId}: a daemon could not read on from there.`,
      { cause },
    );
  }
}

function incomplete(destination: Destination): UserError {
  return new UserError(
    `The stream's listing of the shards at ${describeDestination(destination)} leaves out hash keys: records would be passed over. Try again when the stream is ACTIVE; if that does not help, choose another moment.`,
  );
}

function idsOf(shards: readonly Shard[]): ReadonlySet<string> {
  return new Set(shards.map(({ shardId }) => shardId));
}
