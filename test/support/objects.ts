// Counts the closures and promises of this process that survive a garbage collection. A program
// with callbacks and signals leaks these.

import { setTimeout as sleep } from "node:timers/promises";
import * as v8 from "node:v8";

/**
 * Node has had it since 20.13, but its types do not. Each call walks the whole heap, which takes a
 * while.
 */
type QueryObjects = (made: object, options: { readonly format: "count" }) => number;

const { queryObjects } = v8 as unknown as { readonly queryObjects: QueryObjects };

/** Node releases what has just been closed in later turns of the event loop. */
const SETTLE_MS = 300;

export interface Survivors {
  readonly functions: number;
  readonly promises: number;
}

export async function countSurvivors(): Promise<Survivors> {
  await sleep(SETTLE_MS);
  const count = (made: object) => queryObjects(made, { format: "count" });
  return { functions: count(Function), promises: count(Promise) };
}
