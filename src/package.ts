// Where the program is on the disk, its version, and how to start it again. This works wherever the
// code runs: built, as source under test, compiled by the benchmarks, or as one executable file.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { getAsset, isSea } from "node:sea";
import * as z from "zod";
import { UserError } from "./model/errors.ts";

/** The program is one executable file that contains Node. Nothing else of the package is there. */
const IS_EXECUTABLE: boolean = isSea();

/** A file or folder of the package. */
export function inPackage(...path: readonly string[]): string {
  needPackage(join(...path));
  return join(PACKAGE_FOLDER, ...path);
}

/** @throws UserError in the single-file executable. */
export function needPackage(what: string): void {
  if (!IS_EXECUTABLE) return;
  throw new UserError(
    `The single-file executable does not contain ${what}. Use the npm package for this command: npx kinesis-multilang ${process.argv.slice(2).join(" ")}`,
  );
}

/** The text of a file that the executable contains, too. */
export function packagedText(path: string): string {
  return IS_EXECUTABLE ? getAsset(path, "utf8") : readFileSync(join(PACKAGE_FOLDER, path), "utf8");
}

/** The nearest folder above that contains a package.json, and so all published files. */
const PACKAGE_FOLDER: string = folderWithPackage(import.meta.dirname);

/** The version in package.json. */
export const VERSION: string = z
  .object({ version: z.string() })
  .parse(JSON.parse(packagedText("package.json"))).version;

/** This program with its arguments. The executable repeats its path where Node has the script's. */
export const OWN_COMMAND: readonly string[] = [
  process.execPath,
  ...process.execArgv,
  ...process.argv.slice(IS_EXECUTABLE ? 2 : 1),
];

function folderWithPackage(folder: string): string {
  const above = dirname(folder);
  if (existsSync(join(folder, "package.json")) || above === folder) return folder;
  return folderWithPackage(above);
}
