// Looks whether the leases are about the stream as it is now: at the start, where it ends the program if none of them is, and
// with each audit, where it is logged. What the stream does not say in time is no reason to hold anything up.

import type { Clock } from "../clock.ts";
import type { Shard, ShardFilter } from "../model/shard.ts";
import {
  type Contradiction,
  confirmed,
  contradicted,
  contradictions,
  isAboutAnotherStream,
} from "./contradictions.ts";
import type { Lease } from "./lease.ts";
import { within } from "./signals.ts";
import type { LeaseTable } from "./table.ts";

export interface StreamCheckParts {
  readonly table: LeaseTable;
  readonly listShards: (filter: ShardFilter, signal: AbortSignal) => Promise<readonly Shard[]>;
  readonly clock: Clock;
}

/** A listing can be taken in the middle of a reshard. */
const ATTEMPTS = 3;
const PAUSE_MS = 1_000;
const LISTING_LIMIT_MS = 1_000;

/** What a look at the table and one at the stream say about each other. */
export interface Comparison {
  readonly leases: readonly Lease[];
  /** Absent when the stream could not be listed; then nothing contradicts it. */
  readonly shards?: readonly Shard[];
  readonly found: readonly Contradiction[];
}

/**
 * The leases that contradict the stream, and do so again and again.
 *
 * @throws UserError when the table is about another stream.
 */
export async function checkAtStart(
  leases: readonly Lease[],
  parts: StreamCheckParts,
  signal: AbortSignal,
): Promise<Comparison> {
  const { table, clock } = parts;
  let last = await compare(leases, parts, signal);
  for (let attempt = 1; attempt < ATTEMPTS && last.found.length > 0; attempt++) {
    await clock.sleep(PAUSE_MS, signal);
    if (signal.aborted) return last;
    const now = await compare((await table.scan(signal)).leases, parts, signal);
    last = { ...now, found: confirmed(last.found, now.found) };
  }
  const { shards = [], found } = last;
  if (found.length > 0 && isAboutAnotherStream(last.leases, shards, found)) {
    throw contradicted(table.tableName, found);
  }
  return last;
}

/** What contradicts the stream by a listing of this moment. */
export async function compare(
  leases: readonly Lease[],
  { listShards, clock }: StreamCheckParts,
  signal: AbortSignal,
): Promise<Comparison> {
  try {
    const list = (limited: AbortSignal) => listShards(undefined, limited);
    const shards = await within(LISTING_LIMIT_MS, clock, signal, list);
    return { leases, shards, found: contradictions(leases, shards) };
  } catch {
    // Whoever reads the stream reports what is wrong with it.
    return { leases, found: [] };
  }
}
