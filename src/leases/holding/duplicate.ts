// Two live workers must not share a name: each would renew the other's leases. This one watches the leases that
// carry its name and that it does not hold. If their counters move, somebody else is alive under that name.

import { UserError } from "../../model/errors.ts";
import type { Lease } from "../lease.ts";

/** Leases under our name that we do not hold: the highest counter seen, and how often it grew. */
export type Strangers = ReadonlyMap<string, { readonly counter: number; readonly moves: number }>;

export const NO_STRANGERS: Strangers = new Map();

/** Somebody of our name may have died a moment ago, with a write under way. */
export const MOVES_TO_TOLERATE = 1;

/** @param ours the highest counter that a write of ours can have given a lease, heard or unheard. */
export function watchStrangers(
  before: Strangers,
  leases: readonly Lease[],
  workerId: string,
  held: ReadonlySet<string>,
  ours: (shardId: string) => number = () => 0,
): Strangers {
  const now = new Map<string, { counter: number; moves: number }>();
  for (const { shardId, owner, checkpointOwner, counter } of leases) {
    if (owner !== workerId || checkpointOwner !== undefined || held.has(shardId)) continue;
    const known = before.get(shardId);
    // A scan may be older than the last one: only growth counts, and only beyond what we may have written ourselves.
    const seen = Math.max(known?.counter ?? counter, ours(shardId));
    now.set(shardId, {
      counter: Math.max(counter, seen),
      moves: (known?.moves ?? 0) + (known && counter > seen ? 1 : 0),
    });
  }
  return now;
}

export function duplicateWorker(workerId: string, tableName: string, shardId: string): UserError {
  return new UserError(
    `Another live process uses the workerId "${workerId}" on the lease table "${tableName}": it renewed the lease of ${shardId} under that name. ` +
      "Give each process a workerId of its own, or leave it out of the properties file to get a random one. This process stops; nothing is lost.",
  );
}
