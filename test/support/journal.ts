// Reads what the journal processors wrote. Tests of delivery have no other source.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./daemon.ts";

export interface JournalEntry {
  readonly at: number;
  readonly pid: number;
  /** As the daemon told the child in its environment. */
  readonly stream?: string;
  readonly action: string;
  readonly sequenceNumber?: string;
  readonly words?: readonly string[];
  readonly error?: string | null;
}

const PROCESSOR = fileURLToPath(new URL("../fixtures/processors/journal.mjs", import.meta.url));

export class Journal {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(): Promise<Journal> {
    return new Journal(await temporaryFolder());
  }

  /** For `executableName`. */
  command(checkpoint: "batch" | "end" | "never" = "batch"): string {
    return `"${process.execPath}" "${PROCESSOR}" --checkpoint=${checkpoint}`;
  }

  /** The environment for the daemon; its children inherit it. */
  get env(): Readonly<Record<string, string>> {
    return { JOURNAL_DIR: this.folder };
  }

  /** The entries by shard, in the order written. */
  async read(): Promise<ReadonlyMap<string, readonly JournalEntry[]>> {
    const names = await readdir(this.folder);
    const files = names.filter((name) => name.endsWith(".jsonl")).sort();
    return new Map(
      await Promise.all(
        files.map(async (name): Promise<[string, readonly JournalEntry[]]> => {
          const text = await readFile(join(this.folder, name), "utf8");
          // The text after the last line end is a line that is still being written.
          const lines = text.split("\n").slice(0, -1);
          return [name.slice(0, -6), lines.map((line) => JSON.parse(line) as JournalEntry)];
        }),
      ),
    );
  }

  /** Every word that a processor received, including duplicates, shard by shard. */
  async words(): Promise<readonly string[]> {
    const shards = await this.read();
    return [...shards.values()].flatMap((entries) => entries.flatMap(({ words }) => words ?? []));
  }

  /** The actions of one shard, in order. */
  async actions(shardId: string): Promise<readonly string[]> {
    return ((await this.read()).get(shardId) ?? []).map(({ action }) => action);
  }
}
