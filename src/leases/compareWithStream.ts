// Checks whether the leases describe the stream as it is now: at the start, where the program ends
// if none of them does, and with each audit, which logs the difference. If the stream cannot be
// listed within the time limit, nothing waits for it and nothing is concluded.

import type { Shard, ShardFilter } from "../model/shard.ts";
import { within } from "../signals.ts";
import {
  type Contradiction,
  confirmed,
  contradictedRows,
  contradictedTable,
  contradictions,
  isAboutAnotherStream,
} from "./decisions/contradictions.ts";
import type { IsolatedLeases } from "./isolatedLeases.ts";
import type { Lease } from "./lease.ts";
import type { Surroundings } from "./surroundings.ts";

export type ListShards = (filter: ShardFilter, signal: AbortSignal) => Promise<readonly Shard[]>;

/** A listing may show a reshard half done, so a contradiction must appear in three comparisons. */
const ATTEMPTS = 3;
const PAUSE_MS = 1_000;
const LISTING_LIMIT_MS = 1_000;

/** One scan of the table beside one listing of the stream. */
interface Comparison {
  readonly leases: readonly Lease[];
  /** Absent when the stream could not be listed; then no contradiction is found. */
  readonly shards?: readonly Shard[];
  readonly found: readonly Contradiction[];
}

/**
 * Isolates the leases that contradict the stream in each of three comparisons.
 *
 * @returns the listing of the stream, if there was one.
 * @throws UserError when the table is about another stream.
 */
export async function checkAtStart(
  leases: readonly Lease[],
  listShards: ListShards,
  { table, clock, emit }: Surroundings,
  isolated: IsolatedLeases,
  signal: AbortSignal,
): Promise<readonly Shard[] | undefined> {
  let last = await compareWithStream(leases, listShards, clock, signal);
  for (let attempt = 1; attempt < ATTEMPTS && last.found.length > 0; attempt++) {
    await clock.sleep(PAUSE_MS, signal);
    if (signal.aborted) return last.shards;
    const scan = await table.scan(signal);
    const now = await compareWithStream(scan.leases, listShards, clock, signal);
    last = { ...now, found: confirmed(last.found, now.found) };
  }
  const { shards = [], found } = last;
  if (found.length === 0) return last.shards;
  if (isAboutAnotherStream(last.leases, shards, found)) {
    throw contradictedTable(table.tableName, found);
  }
  isolated.replace(last.leases, found);
  const message = contradictedRows(table.tableName, found);
  emit({ type: "leasesContradicted", shardIds: found.map(({ shardId }) => shardId), message });
  return shards;
}

/** Lists the stream now and returns the leases that contradict the listing. */
export async function compareWithStream(
  leases: readonly Lease[],
  listShards: ListShards,
  clock: Surroundings["clock"],
  signal: AbortSignal,
): Promise<Comparison> {
  try {
    const list = (limited: AbortSignal) => listShards(undefined, limited);
    const shards = await within(LISTING_LIMIT_MS, clock, signal, list);
    return { leases, shards, found: contradictions(leases, shards) };
  } catch {
    // The readers of the stream report its failures.
    return { leases, found: [] };
  }
}
