// The file to which lease rows are saved before they are changed.

import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";
import { type LeaseRow, type StoredRow, toRow } from "../leases/table/rows.ts";
import { UserError } from "../model/errors.ts";
import type { Shard } from "../model/shard.ts";

export interface Backup {
  readonly tableName: string;
  /** ISO 8601. */
  readonly savedAt: string;
  /** The command that made the backup. */
  readonly command: string;
  readonly rows: readonly LeaseRow[];
  /**
   * The leases that the command was about to create, with the checkpoint that a restore gives them.
   */
  readonly made: readonly MadeLease[];
  /** The shards that the stream listed. */
  readonly shards: readonly SavedShard[];
}

export type SavedShard = Pick<Shard, "shardId" | "parentShardIds" | "hashKeyRange">;

export interface MadeLease {
  readonly shardId: string;
  readonly undo?: "SHARD_END" | "TRIM_HORIZON";
}

/** `word-count-20261123T101500Z.leases.json` */
export function backupName(tableName: string, now: Date): string {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, "");
  return `${tableName.replace(/[^\w.-]/g, "_")}-${time}.leases.json`;
}

/** Only the owner can read the file. An existing file is never overwritten. */
export async function writeBackup(file: string, backup: Backup): Promise<void> {
  const { rows, ...rest } = backup;
  const content = { format: FORMAT, ...rest, rows: rows.map(({ stored }) => toJson(stored)) };
  try {
    await writeFile(file, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "the file exists already" : String(cause);
    throw new UserError(
      `The backup ${file} cannot be written (${why}). No lease was changed. Name another file with --backup FILE.`,
      { cause },
    );
  }
}

const FORMAT = "kinesis-multilang leases 1";

const attribute = z.looseObject({ B: z.base64().optional() });
const schema = z.object({
  format: z.literal(FORMAT),
  tableName: z.string(),
  savedAt: z.string(),
  command: z.string(),
  made: z.array(
    z.object({ shardId: z.string(), undo: z.enum(["SHARD_END", "TRIM_HORIZON"]).optional() }),
  ),
  shards: z.array(
    z.object({
      shardId: z.string(),
      parentShardIds: z.array(z.string()),
      hashKeyRange: z.object({ startingHashKey: z.string(), endingHashKey: z.string() }),
    }),
  ),
  rows: z.array(z.record(z.string(), attribute)),
});

/** @throws UserError when the file cannot be read, or is not a backup. */
export async function readBackup(file: string): Promise<Backup> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new UserError(
      `The backup ${file} cannot be read (${cause}). Check its path and permissions.`,
      { cause },
    );
  }
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) {
    throw new UserError(
      `${file} is not a backup: name a file that checkpoints set or reset has written.`,
    );
  }
  const { rows, made, shards, tableName, savedAt, command } = parsed.data;
  return {
    tableName,
    savedAt,
    command,
    shards,
    made: made.map(({ shardId, undo }) => ({ shardId, ...(undo && { undo }) })),
    rows: rows.map((row) => leaseRow(fromJson(row), file)),
  };
}

function leaseRow(stored: StoredRow, file: string): LeaseRow {
  const row = toRow(stored);
  if (row.type === "lease") return row;
  throw new UserError(
    `The row "${row.key}" in ${file} is not a lease: somebody has edited the file. Correct or remove the row.`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** With bytes as base64, as in DynamoDB's own JSON. */
function toJson(stored: StoredRow): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(stored).map(([name, value]) => [
      name,
      value.B ? { B: Buffer.from(value.B).toString("base64") } : value,
    ]),
  );
}

function fromJson(row: Record<string, z.output<typeof attribute>>): StoredRow {
  const values = Object.entries(row).map(([name, { B, ...value }]) => [
    name,
    B === undefined ? value : { B: Buffer.from(B, "base64") },
  ]);
  return Object.fromEntries(values) as StoredRow;
}
