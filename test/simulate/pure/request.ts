// Requests a lease from a live worker, as src/leases/holding/handover.ts does. The request is
// stored in the row, and the row shows its result.

import type { Take } from "../../../src/leases/decisions/assignment.ts";
import { progressOf } from "../../../src/leases/holding/handover.ts";
import { actualOwner, type Lease } from "../../../src/leases/lease.ts";
import { writes } from "../rowWrites.ts";
import type { Service } from "./service.ts";

/** How often a row with a request is read. */
const LOOK_MS = 250;
const WITHDRAW_PAUSE_MS = 500;

/**
 * @param asked the lease as a scan showed it.
 * @param wanted whether to keep waiting.
 * @param done receives the lease to take, or `undefined` if it cannot be had this way.
 */
export function ask(
  asked: Lease,
  service: Service,
  wanted: () => boolean,
  done: (given: Take | undefined) => void,
): void {
  const { workerId, process, invariants } = service.parts;
  const { failoverTimeMillis, gracefulLeaseHandoffTimeoutMillis, maxLeasesToStealAtOneTime } =
    service.settings;
  const { shardId } = asked;
  const askedMs = process.monotonicMs();
  let patienceMs = failoverTimeMillis;
  /** Retried for as long as others would take a lease of ours for that of a live worker. */
  const withdraw = () => {
    const untilMs = process.monotonicMs() + failoverTimeMillis;
    const wish = {
      wanted: () => process.monotonicMs() < untilMs,
      gaveUp: () => done(undefined),
      capMs: WITHDRAW_PAUSE_MS,
    };
    service.until(wish, "withdraw", service.write(shardId, writes.withdraw(workerId)), (result) => {
      if (result === "written") return done(undefined);
      service.until(wish, "read", service.read(shardId), (row) => {
        const isOurs = row && actualOwner(row) === workerId;
        done(isOurs ? { lease: row, how: "handedOver" } : undefined);
      });
    });
  };
  const look = () =>
    service.once("read", service.read(shardId), (row) => {
      const progress = progressOf(asked, row, workerId);
      if (row && progress === "handedOver") return done({ lease: row, how: progress });
      if (row && progress === "ignored") return done({ lease: row, how: "stolen" });
      if (progress === "over") return withdraw();
      if (progress === "accepted")
        patienceMs = gracefulLeaseHandoffTimeoutMillis + failoverTimeMillis;
      wait();
    });
  const wait = () => {
    if (!wanted() || process.monotonicMs() - askedMs >= patienceMs) return withdraw();
    process.timer(Math.min(LOOK_MS, failoverTimeMillis / 8), look);
  };
  invariants.asks(process, maxLeasesToStealAtOneTime);
  service.once("request", service.write(shardId, writes.request(asked, workerId)), (result) =>
    result === "written" ? wait() : withdraw(),
  );
}
