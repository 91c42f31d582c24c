// A file that batches of lines are appended to, readable by its owner alone. Several shards of
// several daemons on one host may append to the same file, and each batch is synced to disk, so
// that it survives a power failure.
//
// Each batch is one write to a file opened for appending. The operating system keeps such a write
// in one piece among the writers of one host (not on NFS). A disk that fills up during the write
// leaves an incomplete line at the end. The next writer then begins a new line, and the caller
// sends the incomplete batch again.

import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { UserError } from "../model/errors.ts";

const { O_APPEND, O_CREAT, O_RDWR } = constants;
const OWNER_ONLY = 0o600;
const NEWLINE = Buffer.from("\n");

export class AppendedFile {
  readonly #path: string;
  /**
   * The latest batch. The batches of one process wait for each other, so that no batch sees the
   * incomplete line of another.
   */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = resolve(path);
  }

  /** @throws UserError when the file cannot be written. */
  async check(): Promise<void> {
    try {
      await this.#append(Buffer.alloc(0));
    } catch (cause) {
      throw new UserError(
        `The file ${this.#path} cannot be written (${messageOf(cause)}). Its folder must exist and be writable.`,
        { cause },
      );
    }
  }

  /** @param lines whole lines, with their ends. */
  async append(lines: Buffer): Promise<void> {
    const written = this.#last.then(() => this.#append(lines));
    this.#last = written.catch(() => undefined);
    await written;
  }

  /** Opens the file for every batch, so that users can move it away while the daemon runs. */
  async #append(lines: Buffer): Promise<void> {
    const isNew = await isMissing(this.#path);
    const file = await open(this.#path, O_RDWR | O_APPEND | O_CREAT, OWNER_ONLY);
    try {
      if (lines.length > 0) {
        const bytes = (await endsIncomplete(file)) ? Buffer.concat([NEWLINE, lines]) : lines;
        const { bytesWritten } = await file.write(bytes);
        if (bytesWritten < bytes.length) {
          throw new Error(
            `Only ${bytesWritten} of ${bytes.length} bytes could be written to ${this.#path}. Check whether the disk is full.`,
          );
        }
      }
      await file.datasync();
    } finally {
      await file.close();
    }
    // A new file survives a power failure only when its folder is synced, too.
    if (isNew) await syncFolder(dirname(this.#path));
  }
}

/** True when the last line of the file has no end. */
async function endsIncomplete(file: FileHandle): Promise<boolean> {
  const { size, ...kind } = await file.stat();
  // Only a regular file has a last byte to read: a pipe or a terminal has none.
  if (size === 0 || (kind.mode & constants.S_IFMT) !== constants.S_IFREG) return false;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  return !last.equals(NEWLINE);
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    () => true,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
