// The bench's paths. npm starts it, so the current directory is the repository's root.

import { join } from "node:path";

export const ROOT = process.cwd();

/** The folder for everything that a run leaves behind; git ignores it. */
export const WORK = join(ROOT, ".cache", "bench");

/** Programs built from `go/`. */
export const BIN = join(WORK, "bin");

/** Properties files, logs and notes, with a folder for each daemon. */
export const RUNS = join(WORK, "runs");

export const BENCH = join(ROOT, "test", "bench");

/** Preloaded into a daemon whose memory is measured. */
export const HEAP_PROBE = join(ROOT, "test", "support", "heapProbe.mjs");

let names = 0;

/** A name that no other run has used. */
export function uniqueName(): string {
  names += 1;
  return `bench-${Date.now()}-${process.pid}-${names}`;
}
