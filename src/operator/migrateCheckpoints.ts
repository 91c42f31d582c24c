// `checkpoints migrate`: gives the leases of an application that read one stream the keys of one
// that reads several, so that the stream continues at its checkpoints. (Java starts anew.)
//
// All new rows are created before the first old row is deleted, and an old row is deleted only if
// nobody has written to it since it was read. So the command may be stopped at any time, and goes
// on when it is run again. A daemon of either mode refuses to start while rows of the other mode
// are left. A new row that exists already keeps its checkpoint if it is ahead of the old one.

import { contradictedRows, contradictions } from "../leases/decisions/contradictions.ts";
import type { Lease } from "../leases/lease.ts";
import { keyedRow } from "../leases/table/dynamoItem.ts";
import type { LeaseRow } from "../leases/table/rows.ts";
import { UserError } from "../model/errors.ts";
import { comparePositions, formatPosition } from "../model/position.ts";
import { parseStreamShard, shardKey, shownShardId } from "../model/shardKey.ts";
import { counted } from "../plural.ts";
import { listShardsOnce } from "../stream/listing/listShards.ts";
import { backupName, writeBackup } from "./backup.ts";
import { columns } from "./columns.ts";
import { explainServices } from "./explainErrors.ts";
import { heldByLiveWorkers } from "./liveWorkers.ts";
import type { MoveOptions, MoveOutput } from "./moveCheckpoints.ts";
import { heldText } from "./planText.ts";
import { isLeaseRow } from "./rowKinds.ts";
import { chooseStream, openTarget, type Target, type TargetStream } from "./target.ts";

/** @returns the exit code: 1 when a live worker holds a lease, or another process interfered. */
export async function migrateCheckpoints(
  options: MoveOptions,
  output: MoveOutput,
  signal: AbortSignal,
): Promise<number> {
  const target = await openTarget(options);
  try {
    return await migrate(target, options, output, signal);
  } catch (error) {
    throw explainServices(error);
  } finally {
    target.close();
  }
}

/** An old row, the new one, and the row that the table has under the new key. */
interface Migration {
  readonly from: LeaseRow;
  readonly key: string;
  readonly found: LeaseRow | undefined;
}

async function migrate(
  target: Target,
  options: MoveOptions,
  { print, progress }: MoveOutput,
  signal: AbortSignal,
): Promise<number> {
  if (!target.isMultiStream) {
    throw new UserError(
      "The application reads one stream, so its leases need no other keys. List all its streams in streamName first, as in streamName = orders, clicks.",
    );
  }
  const source = await chooseStream(target, options.stream, signal);
  const rows = (await target.rows.scan(signal, true)).filter(isLeaseRow);
  const old = rows.filter(({ key }) => parseStreamShard(key) === undefined);
  if (old.length === 0) {
    print(`Nothing to do: the table has no leases of one stream (${target.where}).`);
    return 0;
  }
  await checkStream(old, source, target, signal);
  const migrations = old.map((from): Migration => {
    const key = shardKey(source.streamId, from.key);
    return { from, key, found: rows.find((row) => row.key === key) };
  });
  print(`migrate to stream ${source.name}: ${target.where}\n`);
  for (const line of shown(migrations)) print(line);

  const seconds = (target.failoverTimeMillis / 1_000).toFixed(0);
  progress(`watching for live workers, for ${seconds} s at most`);
  const held = await heldByLiveWorkers(new Set(old.map(({ key }) => key)), target, signal);
  const { force, yes } = options;
  if (held.length > 0 && !force) {
    print(`\n${heldText(held, { fences: false, forced: false, yes })}`);
    return 1;
  }
  if (!yes) {
    print("\nNothing was written. To write, repeat the command with --yes.");
    return 0;
  }
  const file = options.backup ?? backupName(target.rows.tableName, new Date(target.clock.now()));
  await writeBackup(file, {
    tableName: target.rows.tableName,
    savedAt: new Date(target.clock.now()).toISOString(),
    command: `migrate --stream ${source.name}`,
    rows: old,
    shards: [],
    made: migrations.filter(({ found }) => !found).map(({ key }) => ({ shardId: key })),
  });
  print(`\nSaved the old rows to ${file}.`);
  const changed = await write(migrations, target, signal);
  if (changed.length === 0) {
    print(`Migrated ${counted(old.length, "lease")}.`);
    return 0;
  }
  print(
    `Another process changed ${changed.join(", ")} meanwhile. Nothing is lost. Stop all workers, and run the command again.`,
  );
  return 1;
}

/** @throws UserError when the leases are those of another stream. */
async function checkStream(
  old: readonly LeaseRow[],
  { calls, stream, name }: TargetStream,
  { rows }: Target,
  signal: AbortSignal,
): Promise<void> {
  const shards = await listShardsOnce(calls, stream, undefined, signal);
  const leases = old.map(({ lease }) => lease);
  const found = contradictions(leases, shards);
  if (found.length === 0) return;
  throw new UserError(
    `The leases do not match the stream ${name}. Name the stream that they were made for with --stream. ${contradictedRows(rows.tableName, found)}`,
  );
}

function shown(migrations: readonly Migration[]): readonly string[] {
  const cells = migrations.map(({ from, key, found }) => [
    from.key,
    shownShardId(key),
    formatPosition(from.lease.checkpoint),
    !found ? "create" : isBehind(found.lease, from.lease) ? "move forward" : "keep",
  ]);
  return columns([["LEASE", "BECOMES", "CHECKPOINT", "NEW ROW"], ...cells]);
}

function isBehind(lease: Lease, other: Lease): boolean {
  return comparePositions(lease.checkpoint, other.checkpoint) < 0;
}

/** @returns the rows that another process has changed meanwhile. */
async function write(
  migrations: readonly Migration[],
  { rows }: Target,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const changed: string[] = [];
  for (const { from, key, found } of migrations) {
    const isWritten = found
      ? !isBehind(found.lease, from.lease) ||
        (await rows.move(found.lease, from.lease.checkpoint, signal)) === "written"
      : (await rows.insert(keyedRow(from.stored, key), signal)) === "created";
    if (!isWritten) changed.push(key);
  }
  if (changed.length > 0) return changed;
  for (const { from } of migrations) {
    if ((await rows.remove(from.lease, signal)) !== "written") changed.push(from.key);
  }
  return changed;
}
