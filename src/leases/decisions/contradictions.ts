// Leases that cannot be about the shards that the stream lists. Pure. A stream that was deleted and made again under its
// name has shards of the same ids, but none of the old places: whoever went by the old rows would wait for ever at a
// number that is not there, take an open shard for a finished one, or leave shards that are new without a reader.
// A row that was edited by hand, or a checkpoint of another shard's number, looks the same; where other rows show that the
// table is about this stream, such a row stops its own shard alone.

import { UserError } from "../../model/errors.ts";
import { formatPosition, isSequenceNumber } from "../../model/position.ts";
import { beginsAfter, canHaveBeenIn, canHold, isOfShard, type Shard } from "../../model/shard.ts";
import { hasEnded, type Lease } from "../lease.ts";

export interface Contradiction {
  readonly shardId: string;
  /** What the row says and the stream does not: `its checkpoint is 7, and the shard begins at 9`. */
  readonly what: string;
}

/** @param shards all that the stream lists; none = it says nothing (it is being made or deleted). */
export function contradictions(
  leases: readonly Lease[],
  shards: readonly Shard[],
): readonly Contradiction[] {
  if (shards.length === 0) return [];
  const listed = new Map(shards.map((shard) => [shard.shardId, shard]));
  return leases.flatMap((lease) => {
    const { shardId } = lease;
    const shard = listed.get(shardId);
    const what = shard
      ? differing(lease, shard)
      : canHaveBeenIn(shards, shardId)
        ? undefined
        : "the stream never had such a shard";
    return what === undefined ? [] : [{ shardId, what }];
  });
}

/** Those of both: a listing, like a scan, may be a moment behind. */
export function confirmed(
  before: readonly Contradiction[],
  now: readonly Contradiction[],
): readonly Contradiction[] {
  const known = new Set(before.map(({ shardId }) => shardId));
  return now.filter(({ shardId }) => known.has(shardId));
}

function differing(lease: Lease, shard: Shard): string | undefined {
  const { checkpoint, hashKeyRange: range } = lease;
  const { sequenceNumber } = checkpoint;
  const { startingSequenceNumber, endingSequenceNumber, hashKeyRange: is } = shard;
  if (isSequenceNumber(sequenceNumber)) {
    const its = `its checkpoint is ${formatPosition(checkpoint)}, and`;
    if (beginsAfter(shard, sequenceNumber))
      return `${its} the shard begins at ${startingSequenceNumber}`;
    if (!canHold(shard, sequenceNumber)) return `${its} the shard ends at ${endingSequenceNumber}`;
    if (!isOfShard(shard.shardId, sequenceNumber, startingSequenceNumber))
      return `${its} that is a number of another shard`;
  }
  if (hasEnded(lease) && endingSequenceNumber === undefined) {
    return "its checkpoint is SHARD_END, and the shard is open";
  }
  if (!range) return undefined;
  const same =
    range.startingHashKey === is.startingHashKey && range.endingHashKey === is.endingHashKey;
  if (same) return undefined;
  return `its hash keys are ${range.startingHashKey} to ${range.endingHashKey}, and the shard's ${is.startingHashKey} to ${is.endingHashKey}`;
}

/**
 * Whether the table as a whole speaks of another stream than the one listed. It does not when a lease stands at a number in
 * its shard, for numbers grow from a stream to the next of its name. Nor when a lease is left that contradicts nothing, and none
 * has ended: a shard that is taken for finished would be passed over.
 */
export function isAboutAnotherStream(
  leases: readonly Lease[],
  shards: readonly Shard[],
  found: readonly Contradiction[],
): boolean {
  const bad = new Set(found.map(({ shardId }) => shardId));
  const others = leases.filter(({ shardId }) => !bad.has(shardId));
  const listed = new Map(shards.map((shard) => [shard.shardId, shard]));
  const isProven = ({ shardId, checkpoint: { sequenceNumber } }: Lease) =>
    listed.has(shardId) && isSequenceNumber(sequenceNumber);
  if (others.some(isProven)) return false;
  return others.length === 0 || others.some(hasEnded);
}

/** As many as a person needs to see what is wrong. */
const NAMED = 3;

function list(found: readonly Contradiction[]): string {
  const named = found.slice(0, NAMED).map(({ shardId, what }) => `${shardId}: ${what}`);
  const more = found.length > NAMED ? `; and ${found.length - NAMED} more` : "";
  return named.join("; ") + more;
}

/** What to log about rows that stop their own shards. */
export function contradictedRows(tableName: string, found: readonly Contradiction[]): string {
  const ids = found.slice(0, NAMED).map(({ shardId }) => shardId);
  return (
    `Rows of the lease table "${tableName}" do not fit the stream, and nobody reads their shards until they are mended (${list(found)}). ` +
    "The other shards are read. To begin such a shard at its oldest record, run: " +
    `kinesis-multilang checkpoints reset ${ids.map((id) => `--shard ${id}`).join(" ")} --to trim-horizon -p FILE --yes`
  );
}

export function contradicted(tableName: string, found: readonly Contradiction[]): UserError {
  return new UserError(
    `The lease table "${tableName}" is not about the stream as it is now (${list(found)}). ` +
      "Either the stream was deleted and made again under its name, or rows were edited by hand. " +
      "To begin with what is in the stream now, stop all workers of the application and run: kinesis-multilang checkpoints reset --to trim-horizon -p FILE --yes",
  );
}
