// The version of this package, as package.json has it: the nearest one above, since the benchmarks compile these files to
// a folder of their own.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";

const Package = z.object({ version: z.string() });

function nearestPackage(folder: string): string {
  const file = join(folder, "package.json");
  const above = dirname(folder);
  return existsSync(file) || above === folder ? file : nearestPackage(above);
}

export const VERSION: string = Package.parse(
  JSON.parse(readFileSync(nearestPackage(import.meta.dirname), "utf8")),
).version;
