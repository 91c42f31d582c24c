// The paths of a run. npm starts it, so the current directory is the repository's root.

import { join } from "node:path";

const ROOT = process.cwd();

/** The built daemon. */
export const MAIN = join(ROOT, "dist", "main.js");
export const PROCESSOR = join(ROOT, "test", "chaos", "processor.mjs");
export const HEAP_PROBE = join(ROOT, "test", "support", "heapProbe.mjs");
/** The folder for everything that a run leaves behind; git ignores it. */
export const WORK = join(ROOT, ".cache", "chaos");
