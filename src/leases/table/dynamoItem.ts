// How a lease is stored in DynamoDB. The attribute names and types are those of KCL 2.x and 3.x,
// plus two of our own. S = string, N = number as text, SS = set of strings.

import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { parsePosition } from "../../model/position.ts";
import type { HashKeyRange } from "../../model/shard.ts";
import { parseStreamShard, plainShardId, shardKey } from "../../model/shardKey.ts";
import type { Lease, NewLease } from "../lease.ts";
import { type KeyMode, parseLeaseKey } from "../leaseKey.ts";

export type Item = Record<string, AttributeValue>;

export const ATTRIBUTES = {
  key: "leaseKey",
  counter: "leaseCounter",
  owner: "leaseOwner",
  checkpoint: "checkpoint",
  subSequence: "checkpointSubSequenceNumber",
  switches: "ownerSwitchesSinceCheckpoint",
  /** The name is singular, the value a set: a merged shard has two parents. */
  parents: "parentShardId",
  children: "childShardIds",
  startingHashKey: "startingHashKey",
  endingHashKey: "endingHashKey",
  pending: "pendingCheckpoint",
  pendingSubSequence: "pendingCheckpointSubSequenceNumber",
  pendingState: "pendingCheckpointState",
  /** KCL 3.x, during a handover. */
  checkpointOwner: "checkpointOwner",
  /** Our own; KCL preserves attributes that it does not know. */
  handoverTo: "handoverTo",
  handoverFrom: "handoverFrom",
  /** KCL 3.x: the throughput of the shard in KiB/s. */
  throughput: "throughputKBps",
  /** KCL's multi-stream mode: the stream of the shard, as in the key. */
  streamName: "streamName",
  /** KCL's multi-stream mode: the shard's id without the stream. */
  shardId: "shardId",
  /** KCL 3.5: rows that are not leases may share the table; this is their type. */
  entityType: "entityType",
} as const;

/**
 * A row that is not a lease and carries no other type: the table serves another purpose, or the row
 * was edited.
 */
export class NotALease extends Error {
  override readonly name = "NotALease";
  /** The row's key; "" when it has none. */
  readonly shardId: string;
  /** Present for the lease of an application that reads in another mode than this one. */
  readonly mode?: KeyMode;

  constructor(shardId: string, problem: string, mode?: KeyMode) {
    super(shardId === "" ? problem : `row "${shardId}" has ${problem}`);
    this.shardId = shardId;
    if (mode !== undefined) this.mode = mode;
  }
}

/** The row of a new lease. DynamoDB has no empty sets, so such attributes are omitted. */
export function newItem({ shardId, checkpoint, parentShardIds, hashKeyRange }: NewLease): Item {
  return {
    [ATTRIBUTES.key]: { S: shardId },
    [ATTRIBUTES.counter]: { N: "0" },
    [ATTRIBUTES.checkpoint]: { S: checkpoint.sequenceNumber },
    [ATTRIBUTES.subSequence]: { N: String(checkpoint.subSequenceNumber) },
    [ATTRIBUTES.switches]: { N: "0" },
    ...(parentShardIds.length > 0 && { [ATTRIBUTES.parents]: plainIds(parentShardIds) }),
    ...streamOf(shardId),
    ...(hashKeyRange && {
      [ATTRIBUTES.startingHashKey]: { S: hashKeyRange.startingHashKey },
      [ATTRIBUTES.endingHashKey]: { S: hashKeyRange.endingHashKey },
    }),
  };
}

/** A stored row under another key, with the attributes that belong to the key. */
export function keyedRow(stored: Item, key: string): Item {
  return { ...stored, [ATTRIBUTES.key]: { S: key }, ...streamOf(key) };
}

function streamOf(key: string): Item {
  const named = parseStreamShard(key);
  return named
    ? {
        [ATTRIBUTES.streamName]: { S: named.streamId },
        [ATTRIBUTES.shardId]: { S: named.shardId },
      }
    : {};
}

/** Relatives are in the same stream, so a row has their ids without it. */
export function plainIds(shardIds: readonly string[]): { readonly SS: string[] } {
  return { SS: shardIds.map(plainShardId) };
}

/** True for rows of KCL 3.5 that are not leases (a lock, a worker's report, …). */
export function isForeign(item: Item): boolean {
  const type = item[ATTRIBUTES.entityType]?.S;
  return type !== undefined && type !== "LEASE";
}

/**
 * @param mode the only mode whose leases are accepted; both when absent.
 * @throws NotALease naming the row and the attribute.
 */
export function parseItem(item: Item, mode?: KeyMode): Lease {
  const shardId = item[ATTRIBUTES.key]?.S;
  if (!shardId) throw new NotALease("", `a row has no ${ATTRIBUTES.key}`);
  checkKey(shardId, item[ATTRIBUTES.streamName]?.S, mode);
  const streamId = parseStreamShard(shardId)?.streamId;
  const relatives = (name: string) => (item[name]?.SS ?? []).map((id) => shardKey(streamId, id));
  const owner = item[ATTRIBUTES.owner]?.S;
  const checkpointOwner = item[ATTRIBUTES.checkpointOwner]?.S;
  const handoverTo = item[ATTRIBUTES.handoverTo]?.S;
  const handoverFrom = item[ATTRIBUTES.handoverFrom]?.S;
  const hashKeyRange = parseRange(item);
  return {
    shardId,
    counter: integer(item, ATTRIBUTES.counter, shardId),
    ...(owner && { owner }),
    ...(checkpointOwner && { checkpointOwner }),
    ...(handoverTo && { handoverTo }),
    ...(handoverFrom && { handoverFrom }),
    checkpoint: parseCheckpoint(item, shardId),
    ownerSwitchesSinceCheckpoint: integer(item, ATTRIBUTES.switches, shardId),
    parentShardIds: relatives(ATTRIBUTES.parents),
    childShardIds: relatives(ATTRIBUTES.children),
    ...(hashKeyRange && { hashKeyRange }),
  };
}

/** @throws NotALease when the key is not that of a shard, or is one of the other mode. */
function checkKey(key: string, streamAttribute: string | undefined, mode?: KeyMode): void {
  const parsed = parseLeaseKey(key);
  if (parsed.of === "unknown") throw new NotALease(key, "a key that is not a shard id");
  const streamName = parsed.of === "streamShard" ? parsed.streamName : streamAttribute;
  if (mode === "multiStream" && streamName === undefined) {
    throw new NotALease(key, "no stream in its key", "singleStream");
  }
  if (mode === "singleStream" && streamName !== undefined) {
    throw new NotALease(key, `a shard of the stream "${streamName}"`, "multiStream");
  }
}

function parseCheckpoint(item: Item, shardId: string): Lease["checkpoint"] {
  const text = item[ATTRIBUTES.checkpoint]?.S;
  const sub = item[ATTRIBUTES.subSequence] ? integer(item, ATTRIBUTES.subSequence, shardId) : 0;
  const position = text === undefined ? undefined : parsePosition(text, sub);
  if (position) return position;
  throw new NotALease(
    shardId,
    text === undefined ? `no ${ATTRIBUTES.checkpoint}` : `the checkpoint "${text}"`,
  );
}

function parseRange(item: Item): HashKeyRange | undefined {
  const startingHashKey = item[ATTRIBUTES.startingHashKey]?.S;
  const endingHashKey = item[ATTRIBUTES.endingHashKey]?.S;
  if (!isHashKey(startingHashKey) || !isHashKey(endingHashKey)) return undefined;
  return { startingHashKey, endingHashKey };
}

function isHashKey(text: string | undefined): text is string {
  return text !== undefined && /^[0-9]{1,39}$/.test(text);
}

function integer(item: Item, name: string, shardId: string): number {
  const text = item[name]?.N;
  const value = Number(text);
  if (text !== undefined && Number.isSafeInteger(value) && value >= 0) return value;
  throw new NotALease(shardId, text === undefined ? `no ${name}` : `the ${name} ${text}`);
}
