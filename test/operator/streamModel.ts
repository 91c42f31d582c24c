// A small model of a stream and of how KCL reads it, for testing plans. It has a few keys, shards
// that hold ranges of them and are split and merged over time, and one record of every key at every
// tick.

import { hasEnded, type Lease } from "../../src/leases/lease.ts";
import type { Position } from "../../src/model/position.ts";
import type { Shard } from "../../src/model/shard.ts";
import type { Step } from "../../src/operator/planTypes.ts";

export interface ModelRecord {
  readonly shardId: string;
  readonly key: number;
  readonly time: number;
}

export interface ModelShard {
  readonly id: string;
  readonly parents: readonly string[];
  readonly from: number;
  readonly to: number;
  readonly start: number;
  end: number | undefined;
}

export interface ModelStream {
  readonly shards: readonly ModelShard[];
  readonly records: readonly ModelRecord[];
  readonly now: number;
}

export interface ModelLease {
  readonly id: string;
  readonly parents: readonly string[];
  /**
   * -1 at the beginning of the shard, infinite at its end, else the time of the last processed
   * record.
   */
  readonly at: number;
}

const KEYS = 8;
const TICKS_BETWEEN = 3;
const BEGIN = -1;
const END = Number.POSITIVE_INFINITY;

/** Begins with two shards. Each event splits one shard, or merges two neighbours. */
export function stream(events: readonly number[]): ModelStream {
  const shards: ModelShard[] = [
    { id: "0", parents: [], from: 0, to: KEYS / 2 - 1, start: 0, end: undefined },
    { id: "1", parents: [], from: KEYS / 2, to: KEYS - 1, start: 0, end: undefined },
  ];
  let now = 0;
  for (const event of events) {
    now += TICKS_BETWEEN;
    reshard(shards, event, now);
  }
  now += TICKS_BETWEEN;
  const records = Array.from({ length: now }, (_, time) => time).flatMap((time) =>
    Array.from({ length: KEYS }, (_, key) => ({ shardId: holder(shards, key, time), key, time })),
  );
  return { shards, records, now };
}

function reshard(shards: ModelShard[], event: number, now: number): void {
  const open = shards.filter(({ end }) => end === undefined).sort((a, b) => a.from - b.from);
  const index = event % open.length;
  const [one, next] = [open[index], open[index + 1]];
  if (!one) return;
  const id = (offset: number) => String(shards.length + offset);
  if (event % 2 === 0 && next) {
    one.end = now;
    next.end = now;
    shards.push({
      id: id(0),
      parents: [one.id, next.id],
      from: one.from,
      to: next.to,
      start: now,
      end: undefined,
    });
  } else if (one.to > one.from) {
    const middle = Math.floor((one.from + one.to) / 2);
    const [left, right] = [id(0), id(1)];
    one.end = now;
    shards.push(
      { id: left, parents: [one.id], from: one.from, to: middle, start: now, end: undefined },
      { id: right, parents: [one.id], from: middle + 1, to: one.to, start: now, end: undefined },
    );
  }
}

function holder(shards: readonly ModelShard[], key: number, time: number): string {
  const found = shards.find((shard) => shard.from <= key && key <= shard.to && isOpen(shard, time));
  if (!found) throw new Error(`nobody holds key ${key} at ${time}`);
  return found.id;
}

function isOpen({ start, end }: ModelShard, time: number): boolean {
  return start <= time && (end === undefined || time < end);
}

export function frontAt({ shards, now }: ModelStream, time: number): readonly ModelShard[] {
  return shards.filter((shard) => isOpen(shard, Math.min(time, now)));
}

/** Of the last record in the shard before the time. */
export function positionBefore(
  { records }: ModelStream,
  { id }: ModelShard,
  time: number,
): Position {
  const before = records.filter((record) => record.shardId === id && record.time < time);
  return toPosition(before.at(-1)?.time ?? BEGIN);
}

/** Reads from the oldest record on, as far as the choices go, and then perhaps cleans up. */
export function progress(
  of: ModelStream,
  choices: readonly number[],
  cleaned: boolean,
): {
  readonly leases: ReadonlyMap<string, ModelLease>;
  readonly processed: ReadonlySet<ModelRecord>;
} {
  const leases = new Map(
    frontAt(of, 0).map(({ id, parents }) => [id, { id, parents, at: BEGIN } as ModelLease]),
  );
  const processed = new Set<ModelRecord>();
  for (const choice of choices) {
    const ready = [...leases.values()].filter((lease) => isReady(lease, leases));
    const lease = ready[choice % Math.max(1, ready.length)];
    if (lease)
      for (const record of read(of, leases, lease, (choice % 4) + 1)) processed.add(record);
  }
  if (cleaned) cleanUp(of, leases);
  return { leases, processed };
}

/**
 * Continues from these leases until nothing is left to read. It always reads the newest shard that
 * a consumer may read, because that order reveals first whether a shard begins too early. The
 * function changes `leases`.
 *
 * @param steps how many leases are read; all of them when absent.
 */
export function consume(
  of: ModelStream,
  leases: ReadonlyMap<string, ModelLease>,
  steps = Number.POSITIVE_INFINITY,
): readonly ModelRecord[] {
  const table = leases as Map<string, ModelLease>;
  const delivered: ModelRecord[] = [];
  for (let step = 0; step < steps; step += 1) {
    const ready = [...table.values()]
      .filter((lease) => isReady(lease, table))
      .sort((a, b) => Number(b.id) - Number(a.id));
    const found = ready.find((lease) => {
      const records = read(of, table, lease, Number.POSITIVE_INFINITY);
      delivered.push(...records);
      return records.length > 0 || table.get(lease.id)?.at === END;
    });
    if (!found) break;
  }
  return delivered;
}

function isReady(lease: ModelLease, leases: ReadonlyMap<string, ModelLease>): boolean {
  return lease.at !== END && lease.parents.every((id) => (leases.get(id)?.at ?? END) === END);
}

/**
 * Reads some records. At the end of the shard, creates the leases of the children, and then ends
 * the lease.
 */
function read(
  { shards, records }: ModelStream,
  leases: Map<string, ModelLease>,
  lease: ModelLease,
  count: number,
): readonly ModelRecord[] {
  const left = records.filter(({ shardId, time }) => shardId === lease.id && time > lease.at);
  const taken = left.slice(0, count * KEYS);
  const at = taken.at(-1)?.time ?? lease.at;
  const shard = shards.find(({ id }) => id === lease.id);
  if (taken.length < left.length || shard?.end === undefined) {
    // Reads whole ticks, because several keys share a time.
    leases.set(lease.id, { ...lease, at });
    return left.filter(({ time }) => time <= at);
  }
  const children = shards.filter(({ parents }) => parents.includes(lease.id));
  const mayMake = children.every(
    (child) => leases.has(child.id) || child.parents.every((id) => leases.has(id)),
  );
  if (!mayMake) {
    // The shard ends only when the other parent of a merge has a lease.
    leases.set(lease.id, { ...lease, at });
    return left;
  }
  for (const { id, parents } of children) {
    if (!leases.has(id)) leases.set(id, { id, parents, at: BEGIN });
  }
  leases.set(lease.id, { ...lease, at: END });
  return left;
}

/**
 * Deletes leases as KCL does: ended leases whose children have all made progress, and whose parents
 * are gone.
 */
function cleanUp({ shards }: ModelStream, leases: Map<string, ModelLease>): void {
  for (const { id, parents } of shards) {
    const children = shards.filter((shard) => shard.parents.includes(id));
    const isDone = leases.get(id)?.at === END && !parents.some((parent) => leases.has(parent));
    if (isDone && children.every((child) => (leases.get(child.id)?.at ?? BEGIN) !== BEGIN)) {
      leases.delete(id);
    }
  }
}

/** The leases after some steps of a plan. */
export function apply(
  leases: ReadonlyMap<string, ModelLease>,
  steps: readonly Step[],
): Map<string, ModelLease> {
  const after = new Map(leases);
  for (const { shardId, to, create } of steps) {
    const parents = after.get(shardId)?.parents ?? create?.parentShardIds ?? [];
    after.set(shardId, { id: shardId, parents, at: fromPosition(to) });
  }
  return after;
}

export function toLease({ id, parents, at }: ModelLease): Lease {
  return {
    shardId: id,
    counter: 1,
    checkpoint: toPosition(at),
    ownerSwitchesSinceCheckpoint: 0,
    parentShardIds: parents,
    childShardIds: [],
  };
}

export function toShard({ id, parents, from, to, start, end }: ModelShard): Shard {
  return {
    shardId: id,
    parentShardIds: parents,
    hashKeyRange: { startingHashKey: String(from), endingHashKey: String(to) },
    startingSequenceNumber: String(start),
    ...(end !== undefined && { endingSequenceNumber: String(end) }),
  };
}

function toPosition(at: number): Position {
  const sequenceNumber =
    at === BEGIN ? "TRIM_HORIZON" : at === END ? "SHARD_END" : (String(at) as never);
  return { sequenceNumber, subSequenceNumber: 0 };
}

function fromPosition({ sequenceNumber }: Position): number {
  if (hasEnded({ checkpoint: { sequenceNumber, subSequenceNumber: 0 } })) return END;
  return sequenceNumber === "TRIM_HORIZON" ? BEGIN : Number(sequenceNumber);
}
