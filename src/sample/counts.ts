// Reads the counts of the processors, each of which writes one small JSON file for its shard.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { WordCounts } from "./view.ts";

const CountsFile = z.record(z.string(), z.number().int().nonnegative());

/**
 * The sum over all shards. No file is ever half-written, because the processors rename them into
 * place.
 */
export async function readCounts(folder: string): Promise<WordCounts> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  const files = await Promise.all(
    names.map(async (name) =>
      CountsFile.parse(JSON.parse(await readFile(join(folder, name), "utf8"))),
    ),
  );
  return sumCounts(files.map((file) => new Map(Object.entries(file))));
}

/** How often each line occurs. */
export function countLines(text: string): WordCounts {
  const counts = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line !== "") counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return counts;
}

function sumCounts(all: readonly WordCounts[]): WordCounts {
  const sum = new Map<string, number>();
  for (const counts of all) {
    for (const [word, count] of counts) sum.set(word, (sum.get(word) ?? 0) + count);
  }
  return sum;
}
