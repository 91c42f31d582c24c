// Why did a conditional write on a lease of ours fail? Decided from the row as it is now. The one harmless answer: an
// earlier attempt of ours went through and only its response was lost; the row then carries our name and the next
// counter. That is believed only if an attempt is really in doubt, for a second worker of our name looks the same. Nor
// is a lease lost that we gave away ourselves, whether or not we heard that it went.

import { actualOwner, type Lease } from "../lease.ts";

export type Conflict =
  /** An earlier write of ours had succeeded, or a handover was begun or asked for: go on from this row. */
  | { readonly why: "ours"; readonly lease: Lease }
  /** Somebody renews it under our name. */
  | { readonly why: "duplicate" }
  /** Our own release came through unheard (`to`: for whom), or nobody owns it: somebody fenced us off by hand. */
  | { readonly why: "released"; readonly to?: string; readonly reason: string }
  /** Somebody has deleted the row. */
  | { readonly why: "deleted"; readonly reason: string }
  | { readonly why: "lost"; readonly reason: string };

/**
 * @param lease what we believed to be the row.
 * @param doubtful the row as a write on top of it would have left it that was sent and never answered.
 * @param found the row now, read consistently; `undefined` = deleted.
 */
export function explain(
  lease: Lease,
  doubtful: Lease | undefined,
  found: Lease | undefined,
  workerId: string,
): Conflict {
  if (!found) return { why: "deleted", reason: "its row was deleted from the lease table" };
  // Nobody counts down, neither we nor a double.
  if (found.counter < lease.counter) {
    return {
      why: "lost",
      reason: `its counter went back from ${lease.counter} to ${found.counter}: the row was edited, or an old one put back`,
    };
  }
  if (doubtful && isGiven(doubtful, found, workerId)) {
    const to = doubtful.owner;
    return { why: "released", ...(to !== undefined && { to }), reason: "it was given up" };
  }
  if (found.owner === undefined)
    return { why: "released", reason: "it was released by somebody else" };
  const owner = actualOwner(found);
  if (owner !== workerId) return { why: "lost", reason: `worker "${owner}" took it` };
  if (found.checkpointOwner === found.owner) {
    return { why: "lost", reason: "a handover of it to its own owner was begun" };
  }
  if (doubtful && found.counter === doubtful.counter) return { why: "ours", lease: found };
  // A write that failed a moment ago and would succeed now: somebody put the old row back.
  if (found.counter === lease.counter) return { why: "ours", lease: found };
  return { why: "duplicate" };
}

/** Our write gave the lease away, and came through: whoever got it may have gone on from there. */
function isGiven(doubtful: Lease, found: Lease, workerId: string): boolean {
  if (doubtful.owner === workerId || actualOwner(found) === workerId) return false;
  if (found.counter === doubtful.counter) return found.owner === doubtful.owner;
  return found.counter > doubtful.counter;
}
