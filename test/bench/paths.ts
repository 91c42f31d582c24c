// Where the bench finds and keeps its things. It is started by npm, so the current directory is the repository's root.

import { join } from "node:path";

export const ROOT = process.cwd();

/** Everything that a run leaves behind; git ignores it. */
export const WORK = join(ROOT, ".cache", "bench");

/** Programs built from `go/`. */
export const BIN = join(WORK, "bin");

/** Properties files, logs and notes, a folder for each daemon started. */
export const RUNS = join(WORK, "runs");

export const BENCH = join(ROOT, "test", "bench");

/** Preloaded into a daemon whose memory is judged. */
export const HEAP_PROBE = join(ROOT, "test", "support", "heapProbe.mjs");

let names = 0;

/** A name that no other run has had. */
export function uniqueName(): string {
  names += 1;
  return `bench-${Date.now()}-${process.pid}-${names}`;
}
