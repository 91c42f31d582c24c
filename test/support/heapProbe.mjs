// Preloaded into a daemon whose memory is checked (`node --expose-gc --import heapProbe.mjs`). It
// collects all garbage periodically, and appends the remaining size to the file named by
// HEAP_PROBE. Resident memory alone does not show a leak: V8 lets garbage grow while there is room,
// and returns memory to the system late.

import { appendFileSync } from "node:fs";

const file = process.env.HEAP_PROBE;
/** Each collection stops a heap of 20 MiB for about 30 ms. */
const EVERY_MS = 10_000;

if (file && globalThis.gc) {
  // The daemon's children do not inherit it.
  delete process.env.HEAP_PROBE;
  const sample = () => {
    globalThis.gc();
    const { heapUsed, external } = process.memoryUsage();
    // Measured with a clock that no test sets.
    const line = { sinceStartMs: performance.now(), heapUsed, external };
    appendFileSync(file, `${JSON.stringify(line)}\n`);
  };
  setInterval(sample, EVERY_MS).unref();
}
