// The last run's tables stand in README.md, each between two comments that name it.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BENCH } from "./paths.ts";

const FILE = join(BENCH, "README.md");

/** Puts a table in the place of the one with that name. @throws Error when README.md has no such place. */
export function saveTable(name: string, table: string): void {
  const text = readFileSync(FILE, "utf8");
  const [open, close] = [`<!-- table ${name} -->\n`, `<!-- end ${name} -->`];
  const from = text.indexOf(open);
  const to = text.indexOf(close);
  if (from < 0 || to < from) throw new Error(`${FILE} has no place for the table ${name}`);
  writeFileSync(FILE, `${text.slice(0, from)}${open}\n${table}\n\n${text.slice(to)}`);
}
