// The file of dead letters, on a disk of its own that can be filled: a small file system in memory where we may mount
// one, else a link that can be turned to /dev/full, which is never anything but full.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Letter {
  readonly key: string;
  readonly n: number;
}

/** Room for the letters of hours. */
const DISK_BYTES = 64 * 2 ** 20;

export class LettersDisk {
  /** Where the daemons write. */
  readonly file: string;
  readonly #folder: string;
  readonly #isMounted: boolean;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.#isMounted = mount(folder);
    this.file = join(folder, "letters.jsonl");
    if (!this.#isMounted) this.#turnLink(this.#real);
  }

  fill(): void {
    if (!this.#isMounted) {
      this.#turnLink("/dev/full");
      return;
    }
    try {
      writeFileSync(this.#filler, Buffer.alloc(DISK_BYTES));
    } catch {
      // As far as there was room: that is the point.
    }
  }

  free(): void {
    if (this.#isMounted) rmSync(this.#filler, { force: true });
    else this.#turnLink(this.#real);
  }

  read(): readonly Letter[] {
    return parseLetters(readIfThere(this.#isMounted ? this.file : this.#real));
  }

  close(): void {
    if (this.#isMounted) execFileSync("umount", [this.#folder], { stdio: "ignore" });
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

/** A disk that fills up in the midst of a letter leaves a part of it behind; the letter comes again. */
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
