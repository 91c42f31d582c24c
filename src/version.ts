// The version of this package, as package.json has it.

import { createRequire } from "node:module";
import * as z from "zod";

const Package = z.object({ version: z.string() });

export const VERSION: string = Package.parse(
  createRequire(import.meta.url)("../package.json"),
).version;
