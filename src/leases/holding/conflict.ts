// Why did a conditional write on a lease of ours fail? Decided from the row as it is now. One cause
// is harmless: an earlier attempt of ours succeeded and only its response was lost. The row then
// carries our worker id and the next counter. That is believed only if an attempt of ours really is
// unconfirmed, because a second worker with our id would leave the same row. A lease that we gave
// away ourselves is not lost either, whether or not the response to that write arrived.

import { actualOwner, type Lease } from "../lease.ts";

export type Conflict =
  /** An earlier write of ours succeeded, or a handover was started or requested: use this row. */
  | { readonly why: "ours"; readonly lease: Lease }
  /** Another process renews it under our worker id. */
  | { readonly why: "duplicate" }
  /**
   * Our own release succeeded (`to`: for which worker) and its response was lost; or nobody owns
   * the lease because an operator fenced us off.
   */
  | { readonly why: "released"; readonly to?: string; readonly reason: string }
  /** Somebody has deleted the row. */
  | { readonly why: "deleted"; readonly reason: string }
  | { readonly why: "lost"; readonly reason: string };

/**
 * @param lease the row as we knew it.
 * @param unconfirmed the row that a write of ours would have left, if one was sent and no response
 *   came.
 * @param found the row now, read consistently; `undefined` when it is deleted.
 */
export function explain(
  lease: Lease,
  unconfirmed: Lease | undefined,
  found: Lease | undefined,
  workerId: string,
): Conflict {
  if (!found) return { why: "deleted", reason: "its row was deleted from the lease table" };
  // No worker lowers a counter, not even a duplicate of this one.
  if (found.counter < lease.counter) {
    return {
      why: "lost",
      reason: `its counter went back from ${lease.counter} to ${found.counter}: the row was edited, or an old row was restored`,
    };
  }
  if (unconfirmed && isGivenAway(unconfirmed, found, workerId)) {
    const to = unconfirmed.owner;
    return { why: "released", ...(to !== undefined && { to }), reason: "it was given up" };
  }
  if (found.owner === undefined)
    return { why: "released", reason: "it was released by another process" };
  const owner = actualOwner(found);
  if (owner !== workerId) return { why: "lost", reason: `worker "${owner}" took it` };
  if (found.checkpointOwner === found.owner) {
    return { why: "lost", reason: "a handover of it to its own owner was started" };
  }
  if (unconfirmed && found.counter === unconfirmed.counter) return { why: "ours", lease: found };
  // The write failed a moment ago and would succeed now: somebody restored the old row.
  if (found.counter === lease.counter) return { why: "ours", lease: found };
  return { why: "duplicate" };
}

/**
 * Our unconfirmed write gave the lease away and succeeded; its new owner may have written since.
 */
function isGivenAway(unconfirmed: Lease, found: Lease, workerId: string): boolean {
  if (unconfirmed.owner === workerId || actualOwner(found) === workerId) return false;
  if (found.counter === unconfirmed.counter) return found.owner === unconfirmed.owner;
  return found.counter > unconfirmed.counter;
}
