// Dead letters in a file: one JSON object a line, readable by its owner alone, appended so that a power cut does not
// undo it, by as many shards and daemons on this host as there are.
//
// Each batch is one write to a file opened for appending, which the system keeps in one piece among writers on one
// host (not on NFS). A disk that fills up in the midst of it leaves a torn line at the end: the next writer begins a
// new one, and the batch that was torn is written again.

import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { DeadLetter } from "../model/deadLetter.ts";
import { UserError } from "../model/errors.ts";
import type { OpenDestination } from "./destination.ts";
import { letterText } from "./letterText.ts";

const { O_APPEND, O_CREAT, O_RDWR } = constants;
const OWNER_ONLY = 0o600;
const NEWLINE = 0x0a;

export class FileDestination implements OpenDestination {
  readonly #path: string;
  /** The last batch under way: those of one process queue here, so that none sees the other's half-written line. */
  #last: Promise<unknown> = Promise.resolve();

  /** @throws UserError when the file cannot be written. */
  static async open(path: string): Promise<FileDestination> {
    const destination = new FileDestination(resolve(path));
    try {
      await destination.#append("");
    } catch (cause) {
      throw new UserError(
        `onFailureDestination = file:${path}: the file cannot be written (${messageOf(cause)}). Its folder must exist and be writable.`,
        { cause },
      );
    }
    return destination;
  }

  private constructor(path: string) {
    this.#path = path;
  }

  async send(letters: readonly DeadLetter[]): Promise<void> {
    const text = letters.map((letter) => `${letterText(letter)}\n`).join("");
    const written = this.#last.then(() => this.#append(text));
    this.#last = written.catch(() => undefined);
    await written;
  }

  close(): void {}

  /** The file is opened anew for every batch, so that it can be moved away while the daemon runs. */
  async #append(text: string): Promise<void> {
    const isNew = await isMissing(this.#path);
    const file = await open(this.#path, O_RDWR | O_APPEND | O_CREAT, OWNER_ONLY);
    try {
      if (text !== "") {
        const bytes = Buffer.from((await endsTorn(file)) ? `\n${text}` : text);
        const { bytesWritten } = await file.write(bytes);
        if (bytesWritten < bytes.length) {
          throw new Error(
            `only ${bytesWritten} of ${bytes.length} bytes could be written to ${this.#path}: is the disk full?`,
          );
        }
      }
      await file.datasync();
    } finally {
      await file.close();
    }
    // A new file is safe when its folder knows it.
    if (isNew) await syncFolder(dirname(this.#path));
  }
}

/** True when a line was begun and not finished. */
async function endsTorn(file: FileHandle): Promise<boolean> {
  const { size, ...kind } = await file.stat();
  // What is no plain file (a pipe, a terminal) has no end to look at.
  if (size === 0 || (kind.mode & constants.S_IFMT) !== constants.S_IFREG) return false;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, size - 1);
  return last[0] !== NEWLINE;
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
