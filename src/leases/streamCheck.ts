// Looks whether the leases are about the stream as it is now: at the start, where it ends the program if none of them is, and
// with each audit, where it is logged. What the stream does not say in time is no reason to hold anything up.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { Shard, ShardFilter } from "../model/shard.ts";
import { within } from "../signals.ts";
import {
  type Contradiction,
  confirmed,
  contradicted,
  contradictedRows,
  contradictions,
  isAboutAnotherStream,
} from "./decisions/contradictions.ts";
import type { Lease } from "./lease.ts";
import type { SetAside } from "./setAside.ts";
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
interface Comparison {
  readonly leases: readonly Lease[];
  /** Absent when the stream could not be listed; then nothing contradicts it. */
  readonly shards?: readonly Shard[];
  readonly found: readonly Contradiction[];
}

/**
 * Sets aside the leases that contradict the stream, and do so again and again.
 *
 * @returns what the stream lists, if it could be asked.
 * @throws UserError when the table is about another stream.
 */
export async function checkAtStart(
  leases: readonly Lease[],
  parts: StreamCheckParts & { readonly emit: Emit },
  setAside: SetAside,
  signal: AbortSignal,
): Promise<readonly Shard[] | undefined> {
  const { table, clock, emit } = parts;
  let last = await compare(leases, parts, signal);
  for (let attempt = 1; attempt < ATTEMPTS && last.found.length > 0; attempt++) {
    await clock.sleep(PAUSE_MS, signal);
    if (signal.aborted) return last.shards;
    const now = await compare((await table.scan(signal)).leases, parts, signal);
    last = { ...now, found: confirmed(last.found, now.found) };
  }
  const { shards = [], found } = last;
  if (found.length === 0) return last.shards;
  if (isAboutAnotherStream(last.leases, shards, found)) throw contradicted(table.tableName, found);
  setAside.put(last.leases, found);
  const message = contradictedRows(table.tableName, found);
  emit({ type: "leasesContradicted", shardIds: found.map(({ shardId }) => shardId), message });
  return shards;
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
