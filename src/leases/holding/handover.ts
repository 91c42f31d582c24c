// How a lease goes from one live worker to another without a moment in which both process its
// shard.
//
// A worker that lacks leases does not take one from a busier worker: it requests one. The request
// stands in the row (`handoverTo`). Every write of the lease's holder is conditional on knowing the
// request, so the holder cannot miss it: it learns of the request at its next scan, or at the
// latest at its next renewal. The holder acknowledges the request in the row (`handoverFrom`), lets
// its child finish its batch and checkpoint, and then makes the requesting worker the owner, in one
// write that raises the counter. Only then does the new owner start to process the shard.
//
// A KCL 2.x worker does not understand requests. It leaves the request in the row and renews by the
// counter alone, which our workers never do. So a counter that grows without an acknowledgement
// shows a 2.x worker, whose lease is then stolen as KCL 2.x workers do among themselves. A request
// whose worker has died gives the lease to a dead worker, from which it is taken when it expires. A
// request that is never acknowledged is replaced by another request, or removed by the next worker
// that takes the lease.
//
// In a fleet of KCL 3.x the leader starts a handover (`checkpointOwner` is the holder, `leaseOwner`
// the next owner). The holder's part is the same.

import { actualOwner, hasEnded, type Lease, nextOwner } from "../lease.ts";
import type { Surroundings } from "../surroundings.ts";
import type { LeaseTable } from "../table.ts";
import type { RowWrite } from "./heldRow.ts";

/** How often to read a requested row. */
const POLL_MS = 250;

/** The state of a request according to the row. */
export type Progress =
  /** The lease is ours and may be taken. */
  | "handedOver"
  /** The holder has acknowledged the request and is finishing. */
  | "accepted"
  /** The holder renews without acknowledging: it does not understand requests. */
  | "ignored"
  | "waiting"
  /** Another worker has the lease or requests it, or the lease has ended. */
  | "over";

/** @param requested the lease as it was when we requested it. */
export function progressOf(requested: Lease, now: Lease | undefined, workerId: string): Progress {
  if (!now || hasEnded(now)) return "over";
  if (now.checkpointOwner !== undefined) return "over";
  if (now.owner === workerId) return "handedOver";
  if (now.handoverTo !== workerId || now.owner !== requested.owner) return "over";
  if (now.handoverFrom === now.owner) return "accepted";
  return now.counter > requested.counter ? "ignored" : "waiting";
}

/** A lease that may be taken now. */
export interface Granted {
  readonly lease: Lease;
  readonly how: "handedOver" | "stolen";
}

/**
 * Requests a lease and waits for the result.
 *
 * @returns `undefined` when the lease cannot be had this way, or the signal was aborted.
 * @throws LeaseTableError from the table.
 */
export async function requestLease(
  lease: Lease,
  { table, workerId, clock, settings }: Surroundings,
  signal: AbortSignal,
): Promise<Granted | undefined> {
  const { failoverTimeMillis, gracefulLeaseHandoffTimeoutMillis } = settings;
  if ((await table.requestHandover(lease, workerId, signal)) === "conflict") return undefined;
  let limitMs = failoverTimeMillis;
  const requestedMs = clock.monotonicMs();
  while (!signal.aborted && clock.monotonicMs() - requestedMs < limitMs) {
    await clock.sleep(Math.min(POLL_MS, failoverTimeMillis / 8), signal);
    if (signal.aborted) break;
    const now = await table.read(lease.shardId, signal);
    const progress = progressOf(lease, now, workerId);
    if (progress === "over" || !now) return undefined;
    if (progress === "handedOver") return { lease: now, how: "handedOver" };
    if (progress === "ignored") return { lease: now, how: "stolen" };
    if (progress === "accepted") limitMs = gracefulLeaseHandoffTimeoutMillis + failoverTimeMillis;
  }
  return undefined;
}

/**
 * Withdraws a request.
 *
 * @returns the lease, if it was handed over in the meantime.
 */
export async function withdraw(
  shardId: string,
  table: LeaseTable,
  workerId: string,
  signal: AbortSignal,
): Promise<Granted | undefined> {
  if ((await table.withdrawRequest(shardId, workerId, signal)) === "written") return undefined;
  const lease = await table.read(shardId, signal);
  return lease && actualOwner(lease) === workerId ? { lease, how: "handedOver" } : undefined;
}

/** A worker has requested the lease, and its holder has not acknowledged the request. */
export function awaitsAcknowledgement({ handoverTo, handoverFrom }: Lease): boolean {
  return handoverTo !== undefined && handoverFrom === undefined;
}

/** The row after a write that keeps the lease: each such write acknowledges a request. */
export function acknowledged(lease: Lease): Lease {
  const { handoverTo, owner } = lease;
  return handoverTo === undefined || owner === undefined
    ? lease
    : { ...lease, handoverFrom: owner };
}

/** The last write of a holder: the lease goes to the worker that waits for it, or to nobody. */
export function releaseOrHandOver(table: LeaseTable, workerId: string): RowWrite {
  const recipient = (lease: Lease) => {
    const to = nextOwner(lease);
    return to === workerId ? undefined : to;
  };
  return {
    write: (lease, signal) =>
      recipient(lease) === undefined ? table.release(lease, signal) : table.handOver(lease, signal),
    after: (lease) => {
      const { owner: _, checkpointOwner: __, handoverTo: ___, handoverFrom: ____, ...rest } = lease;
      const to = recipient(lease);
      return { ...rest, ...(to !== undefined && { owner: to }) };
    },
  };
}
