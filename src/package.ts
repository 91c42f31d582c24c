// This package as it lies on the disk: what comes with it, and its version. Found from wherever this code runs: as built,
// as source under test, or as the benchmarks compile it.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";

/** The folder of the package.json that is nearest above, with everything that is published beside it. */
export const PACKAGE_FOLDER: string = folderWithPackage(import.meta.dirname);

/** The version that package.json names. */
export const VERSION: string = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(join(PACKAGE_FOLDER, "package.json"), "utf8"))).version;

function folderWithPackage(folder: string): string {
  const above = dirname(folder);
  if (existsSync(join(folder, "package.json")) || above === folder) return folder;
  return folderWithPackage(above);
}
