// Looks whether the leases are about the stream as it is now: at the start, where it ends the program if they are not, and
// with each audit, where it is told. What the stream does not say in time is no reason to hold anything up.

import type { Clock } from "../clock.ts";
import type { Shard, ShardFilter } from "../model/shard.ts";
import { type Contradiction, confirmed, contradicted, contradictions } from "./contradictions.ts";
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

/** @throws UserError when leases contradict the stream, and do so again and again. */
export async function checkAtStart(
  leases: readonly Lease[],
  parts: StreamCheckParts,
  signal: AbortSignal,
): Promise<void> {
  const { table, clock } = parts;
  let found = await compare(leases, parts, signal);
  for (let attempt = 1; attempt < ATTEMPTS && found.length > 0; attempt++) {
    await clock.sleep(PAUSE_MS, signal);
    if (signal.aborted) return;
    const now = await table.scan(signal);
    found = confirmed(found, await compare(now.leases, parts, signal));
  }
  if (found.length > 0) throw contradicted(table.tableName, found);
}

/** What contradicts the stream by a listing of this moment; nothing when the stream cannot be listed now. */
export async function compare(
  leases: readonly Lease[],
  { listShards, clock }: StreamCheckParts,
  signal: AbortSignal,
): Promise<readonly Contradiction[]> {
  try {
    const list = (limited: AbortSignal) => listShards(undefined, limited);
    return contradictions(leases, await within(LISTING_LIMIT_MS, clock, signal, list));
  } catch {
    // Whoever reads the stream tells what is wrong with it.
    return [];
  }
}
