// How a lease is stored in DynamoDB. The attribute names and types are those of KCL 2.x and 3.x,
// plus two of our own. S = string, N = number as text, SS = set of strings.

import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { parsePosition } from "../../model/position.ts";
import type { HashKeyRange } from "../../model/shard.ts";
import type { Lease, NewLease } from "../lease.ts";
import { parseLeaseKey } from "../leaseKey.ts";

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
  /** KCL's multi-stream mode: the stream of the shard. */
  streamName: "streamName",
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
  /** Present for a lease of an application in KCL's multi-stream mode: the stream of its shard. */
  readonly streamName?: string;

  constructor(shardId: string, problem: string, streamName?: string) {
    super(shardId === "" ? problem : `row "${shardId}" has ${problem}`);
    this.shardId = shardId;
    if (streamName !== undefined) this.streamName = streamName;
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
    ...(parentShardIds.length > 0 && { [ATTRIBUTES.parents]: { SS: [...parentShardIds] } }),
    ...(hashKeyRange && {
      [ATTRIBUTES.startingHashKey]: { S: hashKeyRange.startingHashKey },
      [ATTRIBUTES.endingHashKey]: { S: hashKeyRange.endingHashKey },
    }),
  };
}

/** True for rows of KCL 3.5 that are not leases (a lock, a worker's report, …). */
export function isForeign(item: Item): boolean {
  const type = item[ATTRIBUTES.entityType]?.S;
  return type !== undefined && type !== "LEASE";
}

/** @throws NotALease naming the row and the attribute. */
export function parseItem(item: Item): Lease {
  const shardId = item[ATTRIBUTES.key]?.S;
  if (!shardId) throw new NotALease("", `a row has no ${ATTRIBUTES.key}`);
  checkKey(shardId, item[ATTRIBUTES.streamName]?.S);
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
    parentShardIds: item[ATTRIBUTES.parents]?.SS ?? [],
    childShardIds: item[ATTRIBUTES.children]?.SS ?? [],
    ...(hashKeyRange && { hashKeyRange }),
  };
}

/** @throws NotALease when the key is not that of a shard of a single-stream application. */
function checkKey(key: string, streamAttribute: string | undefined): void {
  const parsed = parseLeaseKey(key);
  if (parsed.of === "unknown") throw new NotALease(key, "a key that is not a shard id");
  const streamName = parsed.of === "streamShard" ? parsed.streamName : streamAttribute;
  if (streamName === undefined) return;
  throw new NotALease(key, `a shard of the stream "${streamName}"`, streamName);
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
