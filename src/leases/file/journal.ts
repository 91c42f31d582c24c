// The format of the lease file: one line of JSON after another, each with a checksum before it. The
// first line is a snapshot of all rows; every other line is one batch of writes. Pure.
//
// The writer syncs each line before it writes the next one, and replaces the file in one step when
// it writes a new snapshot. So a crash at any moment can damage only the last line, whose writes
// nobody was told to be done: it is dropped. Any other damage was not done by a crash, and is
// reported, because a silent loss of positions would repeat or lose records.

import { crc32 } from "node:zlib";
import type { Item } from "../table/dynamoItem.ts";

/** Key → the row's attributes. */
export type Rows = ReadonlyMap<string, Item>;

export interface Snapshot {
  /** The application's table name: a directory belongs to one application. */
  readonly table: string;
  /** The process that wrote the snapshot when it opened the directory. */
  readonly pid: number;
  readonly rows: Rows;
}

/** Key → the row as written; `undefined`: deleted. */
export type Batch = ReadonlyMap<string, Item | undefined>;

const FORMAT = "kinesis-multilang leases";
const VERSION = 1;
const CHECKSUM_DIGITS = 8;

export class DamagedJournal extends Error {
  override readonly name = "DamagedJournal";
}

export function snapshotLine({ table, pid, rows }: Snapshot): string {
  return line({ format: FORMAT, version: VERSION, table, pid, rows: Object.fromEntries(rows) });
}

export function batchLine(batch: Batch): string {
  // JSON has no `undefined`.
  return line(Object.fromEntries([...batch].map(([key, item]) => [key, item ?? null])));
}

/** @throws DamagedJournal naming the line, unless the damage can come from a crash. */
export function readJournal(text: string): Snapshot {
  const lines = text.split("\n");
  const [first, ...batches] = lines.map(content);
  const { table, pid, rows } = parseSnapshot(first);
  for (const [index, batch] of batches.entries()) {
    // The last line is empty, or was being written when the process or the machine ended.
    if (index === batches.length - 1) continue;
    if (batch === undefined) {
      if (index === batches.length - 2 && lines.at(-1) === "") continue;
      throw new DamagedJournal(`line ${index + 2} is damaged`);
    }
    for (const [key, item] of Object.entries(batch as Record<string, Item | null>)) {
      if (item) rows.set(key, item);
      else rows.delete(key);
    }
  }
  return { table, pid, rows };
}

function line(content: object): string {
  const json = JSON.stringify(content);
  return `${checksum(json)} ${json}\n`;
}

/** `undefined` when the checksum is wrong. */
function content(text: string): unknown {
  const json = text.slice(CHECKSUM_DIGITS + 1);
  const isIntact = text.startsWith(`${checksum(json)} `);
  return isIntact ? JSON.parse(json) : undefined;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(CHECKSUM_DIGITS, "0");
}

function parseSnapshot(first: unknown): Snapshot & { readonly rows: Map<string, Item> } {
  if (first === undefined) throw new DamagedJournal("line 1 is damaged");
  const { format, version, table, pid, rows } = first as Record<string, unknown>;
  if (format !== FORMAT) throw new DamagedJournal("it is not a file of leases");
  if (version !== VERSION) {
    throw new DamagedJournal(`it has the format version ${version}, and not ${VERSION}`);
  }
  const entries = Object.entries(rows as Record<string, Item>);
  return { table: String(table), pid: Number(pid), rows: new Map(entries) };
}
