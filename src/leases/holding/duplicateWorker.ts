// Detects a second live worker with our worker id. Two such workers would renew each other's
// leases. This worker watches the leases that carry its id and that it does not hold: if their
// counters grow, another live process uses the id.

import { UserError } from "../../model/errors.ts";
import type { Lease } from "../lease.ts";

/**
 * Leases under our id that we do not hold: the highest counter seen, and how often another process
 * raised it.
 */
export type UnheldLeases = ReadonlyMap<
  string,
  { readonly counter: number; readonly renewals: number }
>;

export const NO_UNHELD_LEASES: UnheldLeases = new Map();

/** An earlier process with our id may have died a moment ago, with one write in flight. */
export const TOLERATED_RENEWALS = 1;

/**
 * @param ours the highest counter that a write of ours can have given a lease, confirmed or not.
 */
export function watchUnheldLeases(
  before: UnheldLeases,
  leases: readonly Lease[],
  workerId: string,
  held: ReadonlySet<string>,
  ours: (shardId: string) => number = () => 0,
): UnheldLeases {
  const now = new Map<string, { counter: number; renewals: number }>();
  for (const { shardId, owner, checkpointOwner, counter } of leases) {
    if (owner !== workerId || checkpointOwner !== undefined || held.has(shardId)) continue;
    const known = before.get(shardId);
    // A scan may be older than the last one, so only growth counts, and only above the counter
    // that our own writes can explain.
    const seen = Math.max(known?.counter ?? counter, ours(shardId));
    now.set(shardId, {
      counter: Math.max(counter, seen),
      renewals: (known?.renewals ?? 0) + (known && counter > seen ? 1 : 0),
    });
  }
  return now;
}

export function duplicateWorker(workerId: string, tableName: string, shardId: string): UserError {
  return new UserError(
    `Another live process uses the workerId "${workerId}" on the lease table "${tableName}": it renewed the lease of ${shardId} under that id. ` +
      "Give each process its own workerId, or remove workerId from the properties file to get a random one. This process stops; nothing is lost.",
  );
}
