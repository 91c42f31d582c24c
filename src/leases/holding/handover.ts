// How a lease goes from one live worker to another without a moment in which both work on its shard.
//
// Whoever lacks leases does not take one from a busier worker: he asks. The request stands in the row (`handoverTo`), and
// every write of the lease's holder is conditional on knowing it; so the holder cannot miss it, and learns of it with his
// next look at the table, at the latest with his next renewal. He answers in the row (`handoverFrom`), lets his child finish
// its batch and checkpoint, and then makes the one who asked the owner, in one write that raises the counter. Only then
// does the new owner take up the shard.
//
// A worker of KCL 2.x knows nothing of all this. It leaves the request alone and renews by the counter, which none of
// our kind would do: so a counter that moves without an answer is the sign to take the lease as KCL 2.x workers do among
// themselves, without asking. A request whose maker has died gives the lease to a dead worker, from whom it is
// taken when it expires; one that nobody has heard is replaced, or goes with the next worker that takes the lease.
//
// In a fleet of KCL 3.x it is the leader that begins a handover (`checkpointOwner` is the holder, `leaseOwner` the one who
// gets it); the holder's part is the same.

import type { Clock } from "../../clock.ts";
import { actualOwner, hasEnded, type Lease, nextOwner } from "../lease.ts";
import type { LeaseTable } from "../table.ts";
import type { RowWrite } from "./heldRow.ts";

/** A row that is asked for is looked at this often. */
const LOOK_MS = 250;

export interface RequestParts {
  readonly table: LeaseTable;
  readonly workerId: string;
  readonly failoverTimeMillis: number;
  readonly gracefulLeaseHandoffTimeoutMillis: number;
  readonly clock: Clock;
}

/** What became of a request, as far as the row says. */
export type Progress =
  /** The lease is ours, to be taken up. */
  | "handedOver"
  /** The holder has heard, and finishes. */
  | "accepted"
  /** The holder writes to the row and does not hear: it is not of our kind. */
  | "ignored"
  | "waiting"
  /** Somebody else has it, or wants it, or it has ended. */
  | "over";

/** @param asked the lease as it was when we asked. */
export function progressOf(asked: Lease, now: Lease | undefined, workerId: string): Progress {
  if (!now || hasEnded(now)) return "over";
  if (now.checkpointOwner !== undefined) return "over";
  if (now.owner === workerId) return "handedOver";
  if (now.handoverTo !== workerId || now.owner !== asked.owner) return "over";
  if (now.handoverFrom === now.owner) return "accepted";
  return now.counter > asked.counter ? "ignored" : "waiting";
}

export interface Outcome {
  /** The row to take up. */
  readonly lease: Lease;
  readonly how: "handedOver" | "stolen";
}

/**
 * Asks for a lease and waits for the answer.
 *
 * @returns `undefined` when it is not to be had this way, or the signal was aborted.
 * @throws LeaseTableError from the table.
 */
export async function askFor(
  lease: Lease,
  parts: RequestParts,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const { table, workerId, clock, failoverTimeMillis, gracefulLeaseHandoffTimeoutMillis } = parts;
  if ((await table.requestHandover(lease, workerId, signal)) === "conflict") return undefined;
  let patienceMs = failoverTimeMillis;
  const askedMs = clock.monotonicMs();
  while (!signal.aborted && clock.monotonicMs() - askedMs < patienceMs) {
    await clock.sleep(Math.min(LOOK_MS, failoverTimeMillis / 8), signal);
    if (signal.aborted) break;
    const now = await table.read(lease.shardId, signal);
    const progress = progressOf(lease, now, workerId);
    if (progress === "over" || !now) return undefined;
    if (progress === "handedOver") return { lease: now, how: "handedOver" };
    if (progress === "ignored") return { lease: now, how: "stolen" };
    if (progress === "accepted")
      patienceMs = gracefulLeaseHandoffTimeoutMillis + failoverTimeMillis;
  }
  return undefined;
}

/**
 * Takes a request back.
 *
 * @returns the row to take up, if the lease was handed over meanwhile.
 */
export async function withdraw(
  shardId: string,
  table: LeaseTable,
  workerId: string,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  if ((await table.withdrawRequest(shardId, workerId, signal)) === "written") return undefined;
  const lease = await table.read(shardId, signal);
  return lease && actualOwner(lease) === workerId ? { lease, how: "handedOver" } : undefined;
}

/** Somebody has asked for the lease, and nothing in the row says that its holder has heard. */
export function owesAnswer({ handoverTo, handoverFrom }: Lease): boolean {
  return handoverTo !== undefined && handoverFrom === undefined;
}

/** Whoever has asked for the lease sees by each write that keeps it that he was heard. */
export function answered(lease: Lease): Lease {
  const { handoverTo, owner } = lease;
  return handoverTo === undefined || owner === undefined
    ? lease
    : { ...lease, handoverFrom: owner };
}

/** The last write of a holder: the lease goes to whoever waits for it, or else to nobody. */
export function giveAway(table: LeaseTable, workerId: string): RowWrite {
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
