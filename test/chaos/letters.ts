// The dead-letter file, on its own disk that can be filled. The disk is a small file system in
// memory if it may be mounted, otherwise a link that can be switched to /dev/full.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Letter {
  readonly key: string;
  readonly n: number;
}

/** Enough for several hours. */
const DISK_BYTES = 64 * 2 ** 20;

export class LettersDisk {
  /** The file that the daemons write. */
  readonly file: string;
  readonly #folder: string;
  /** Whether it is a file system of its own. */
  readonly isMounted: boolean;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.isMounted = mount(folder);
    this.file = join(folder, "letters.jsonl");
    if (!this.isMounted) this.#turnLink(this.#real);
  }

  fill(): void {
    if (!this.isMounted) {
      this.#turnLink("/dev/full");
      return;
    }
    try {
      writeFileSync(this.#filler, Buffer.alloc(DISK_BYTES));
    } catch {
      // Filling the disk fails when no room is left, as intended.
    }
  }

  free(): void {
    if (this.isMounted) rmSync(this.#filler, { force: true });
    else this.#turnLink(this.#real);
  }

  read(): readonly Letter[] {
    return parseLetters(readIfThere(this.isMounted ? this.file : this.#real));
  }

  close(): void {
    if (this.isMounted) execFileSync("umount", [this.#folder], { stdio: "ignore" });
  }

  get #real(): string {
    return join(this.#folder, "real.jsonl");
  }

  get #filler(): string {
    return join(this.#folder, "filler");
  }

  #turnLink(target: string): void {
    const fresh = `${this.file}.new`;
    rmSync(fresh, { force: true });
    symlinkSync(target, fresh);
    renameSync(fresh, this.file);
  }
}

/**
 * A disk that fills up while a dead letter is written keeps a part of it. The letter is written
 * again.
 */
export function parseLetters(text: string): readonly Letter[] {
  return text.split("\n").flatMap((line) => {
    try {
      const { partitionKey, data } = JSON.parse(line);
      return [
        { key: partitionKey, n: Number.parseInt(Buffer.from(data, "base64").toString(), 10) },
      ];
    } catch {
      return [];
    }
  });
}

function mount(folder: string): boolean {
  try {
    const options = `size=${DISK_BYTES},mode=700`;
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
