// The lease file on disk. A write is done when it is synced. After a failed write nobody knows what
// is on disk, so the next write replaces the whole file from memory: a second sync of the same file
// may report success although the kernel has dropped the data.

import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import {
  type Batch,
  batchLine,
  type Rows,
  readJournal,
  type Snapshot,
  snapshotLine,
} from "./journal.ts";

const OWNER_ONLY = 0o600;
/** From this size on, and when most of it is history, the file is replaced by a snapshot. */
const REPLACE_BYTES = 256 * 1024;
const REPLACE_FACTOR = 8;

export class LeaseFile {
  readonly #path: string;
  readonly #table: string;
  /** Open for appending; absent until the first snapshot, and after a failure. */
  #file: FileHandle | undefined;
  #bytes = 0;
  #snapshotBytes = 0;

  constructor(path: string, table: string) {
    this.#path = path;
    this.#table = table;
  }

  /**
   * Writes a batch, and returns when it survives a power failure.
   *
   * @param after all rows after the batch.
   */
  async write(batch: Batch, after: () => Rows): Promise<void> {
    const isMostlyHistory =
      this.#bytes > Math.max(REPLACE_BYTES, REPLACE_FACTOR * this.#snapshotBytes);
    const file = this.#file;
    if (!file || isMostlyHistory) return this.replace(after());
    const line = batchLine(batch);
    try {
      await file.appendFile(line);
      await file.datasync();
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#bytes += line.length;
  }

  /** Replaces the file by a snapshot, in one step. */
  async replace(rows: Rows): Promise<void> {
    await this.close();
    const text = snapshotLine({ table: this.#table, pid: process.pid, rows });
    const draft = `${this.#path}.new`;
    let file: FileHandle | undefined;
    try {
      // Opened for appending, because later batches are appended to the same file.
      await rm(draft, { force: true });
      file = await open(draft, "a", OWNER_ONLY);
      await file.appendFile(text);
      await file.sync();
      await rename(draft, this.#path);
      await syncDirectory(dirname(this.#path));
    } catch (error) {
      await file?.close();
      // An unfinished draft would keep the disk full.
      await rm(draft, { force: true }).catch(() => undefined);
      throw error;
    }
    this.#file = file;
    this.#bytes = text.length;
    this.#snapshotBytes = text.length;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    // What was acknowledged is synced, so a failure to close loses nothing.
    await file?.close().catch(() => undefined);
  }
}

/**
 * @returns `undefined` when there is no file.
 * @throws DamagedJournal, or an error of the file system.
 */
export async function readLeaseFile(path: string): Promise<Snapshot | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  return readJournal(text);
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
