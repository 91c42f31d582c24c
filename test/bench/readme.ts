// Writes the last run's tables to README.md, each between two comments with its name.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BENCH } from "./paths.ts";

const FILE = join(BENCH, "README.md");

/**
 * Replaces the table with that name.
 * @throws Error if README.md has no such table.
 */
export function saveTable(name: string, table: string): void {
  const text = readFileSync(FILE, "utf8");
  const [open, close] = [`<!-- table ${name} -->\n`, `<!-- end ${name} -->`];
  const from = text.indexOf(open);
  const to = text.indexOf(close);
  if (from < 0 || to < from) throw new Error(`${FILE} has no comments for the table ${name}`);
  writeFileSync(FILE, `${text.slice(0, from)}${open}\n${table}\n\n${text.slice(to)}`);
}
