// Leases that cannot describe the shards that the stream lists. Pure. A stream that was deleted and
// created again under its name has shards with the same ids, but other sequence numbers. A worker
// that followed the old rows would wait for ever at a sequence number that does not exist, consider
// an open shard finished, or leave new shards without a reader. A row that was edited by hand, or
// that holds another shard's sequence number, looks the same. When other rows show that the table
// describes this stream, such a row stops only its own shard.

import { UserError } from "../../model/errors.ts";
import { formatPosition, isSequenceNumber } from "../../model/position.ts";
import { beginsAfter, canHaveBeenIn, canHold, isOfShard, type Shard } from "../../model/shard.ts";
import { hasEnded, type Lease } from "../lease.ts";

export interface Contradiction {
  readonly shardId: string;
  /** The difference, for example `its checkpoint is 7, and the shard begins at 9`. */
  readonly what: string;
}

/**
 * @param shards all shards listed. An empty list proves nothing: the stream is being created or
 *   deleted.
 */
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

/** Contradictions found twice: a listing, like a scan, may be slightly outdated. */
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
      return `${its} that is a sequence number of another shard`;
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
 * Whether the table as a whole describes another stream than the one listed. It does not if some
 * lease has a checkpoint inside its shard, because a new stream of the same name has higher
 * sequence numbers. It does not either if some leases contradict nothing and none of these has
 * ended. (An ended lease may hide a new shard, which would never be read.)
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

/** How many contradictions a message names. */
const NAMED = 3;

function list(found: readonly Contradiction[]): string {
  const named = found.slice(0, NAMED).map(({ shardId, what }) => `${shardId}: ${what}`);
  const more = found.length > NAMED ? `; and ${found.length - NAMED} more` : "";
  return named.join("; ") + more;
}

/** The message for rows that stop their own shards. */
export function contradictedRows(tableName: string, found: readonly Contradiction[]): string {
  const ids = found.slice(0, NAMED).map(({ shardId }) => shardId);
  return (
    `Rows of the lease table "${tableName}" do not match the stream, and nobody reads their shards until the rows are corrected (${list(found)}). ` +
    "The other shards are read. To read such a shard from its oldest record, run: " +
    `kinesis-multilang checkpoints reset ${ids.map((id) => `--shard ${id}`).join(" ")} --to trim-horizon -p FILE --yes`
  );
}

/** The error for a table that describes another stream. */
export function contradictedTable(tableName: string, found: readonly Contradiction[]): UserError {
  return new UserError(
    `The lease table "${tableName}" does not describe the stream as it is now (${list(found)}). ` +
      "Either the stream was deleted and created again under its name, or rows were edited by hand. " +
      "To read the stream from its oldest record, stop all workers of the application and run: kinesis-multilang checkpoints reset --to trim-horizon -p FILE --yes",
  );
}
