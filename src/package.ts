// The package's folder on the disk, and its version. This works wherever the code runs: built, as
// source under test, or compiled by the benchmarks.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";

/** The nearest folder above that contains a package.json, and so all published files. */
export const PACKAGE_FOLDER: string = folderWithPackage(import.meta.dirname);

/** The version in package.json. */
export const VERSION: string = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(join(PACKAGE_FOLDER, "package.json"), "utf8"))).version;

function folderWithPackage(folder: string): string {
  const above = dirname(folder);
  if (existsSync(join(folder, "package.json")) || above === folder) return folder;
  return folderWithPackage(above);
}
