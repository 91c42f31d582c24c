// One tenure of a lease: renewals, what the row shows, and the release. The decisions are those of
// src/leases/holding/tenure.ts.

import { renewalIntervalMs, trustedUntilMs } from "../../../src/leases/decisions/trust.ts";
import { acknowledged, awaitsAcknowledgement } from "../../../src/leases/holding/handover.ts";
import { hasEnded, type Lease, nextOwner } from "../../../src/leases/lease.ts";
import type { Position } from "../../../src/model/position.ts";
import { backoffMs } from "../../../src/retry.ts";
import { writes } from "../rowWrites.ts";
import type { Event } from "../schedule.ts";
import { type HeldWrite, PureRow, type RowLost } from "./heldRow.ts";
import type { Service } from "./service.ts";

/** The events for the worker and the consumer. */
export interface TenureEars {
  /** The consumer must check: the lease is lost, or the consumer has to finish. */
  readonly interrupted: () => void;
  readonly shardEnded: (shardId: string) => void;
  readonly over: () => void;
}

const RENEWAL: HeldWrite = { write: writes.renew, after: acknowledged };
const RELEASE_PAUSE_MS = 500;
const CHECKPOINT_ATTEMPTS = 5;
const CHECKPOINT_BACKOFF = { baseMs: 50, capMs: 1_000 };
const RENEWAL_BASE_MS = 100;

export class PureTenure {
  readonly shardId: string;
  stopRequested = false;
  #lost = false;
  /** The consumer has returned. */
  #over = false;
  #handingOver = false;
  #dueMs: number;
  #failures = 0;
  #renewal: Event | undefined;
  readonly #row: PureRow;
  readonly #ears: TenureEars;
  readonly #service: Service;
  readonly #failoverTimeMillis: number;

  constructor(lease: Lease, takenMs: number, service: Service, ears: TenureEars) {
    this.shardId = lease.shardId;
    this.#row = new PureRow(lease, takenMs, service);
    this.#service = service;
    this.#ears = ears;
    this.#failoverTimeMillis = service.settings.failoverTimeMillis;
    this.#dueMs = renewalIntervalMs(this.#failoverTimeMillis) * service.parts.process.random.next();
  }

  /** Renews until the consumer has returned or the lease is lost. */
  keep(): void {
    this.#renew();
  }

  get lease(): Lease {
    return this.#row.lease;
  }

  /** The lease is being released, so another owner is expected. */
  get isReleasing(): boolean {
    return this.#over;
  }

  get isHandingOver(): boolean {
    return this.#handingOver;
  }

  /** Whether the worker trusts the lease. Reading this has no side effect. */
  get believes(): boolean {
    const nowMs = this.#service.parts.process.monotonicMs();
    return !this.#lost && nowMs < trustedUntilMs(this.#row.writtenMs, this.#failoverTimeMillis);
  }

  get trusted(): boolean {
    if (!this.#lost && !this.believes) this.lose("it could not be renewed");
    return !this.#lost;
  }

  lose(reason: string): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#service.parts.count("leaseLost", `${this.shardId}: ${reason}`);
    this.#row.abort();
    this.#ears.interrupted();
  }

  requestStop(): void {
    this.stopRequested = true;
    this.#ears.interrupted();
  }

  /** Reads the row: whether it is still ours, and whether a worker requests it. */
  look(done: (isOurs: boolean) => void): void {
    this.#row.inLine((next) => {
      const end = (isOurs: boolean) => {
        next();
        done(isOurs);
      };
      if (!this.trusted) return end(false);
      this.#row.look((found) => {
        if (found !== "trouble" && found.why !== "ours") this.#loseRow(found);
        this.#noticeHandover();
        end(found !== "trouble" && this.trusted);
      });
    });
  }

  checkpoint(checkpoint: Position, done: (result: "stored" | "lost" | "refused") => void): void {
    const { random } = this.#service.parts.process;
    const asked: HeldWrite = {
      write: (lease) => writes.checkpoint(lease, checkpoint),
      after: (lease) => ({ ...acknowledged(lease), checkpoint, ownerSwitchesSinceCheckpoint: 0 }),
    };
    const attempt = (failures: number): void =>
      this.#guarded(asked, (result) => {
        if (result === "written") {
          if (hasEnded(this.lease)) this.#ears.shardEnded(this.shardId);
          return done("stored");
        }
        if (result === "lost" || !this.trusted) return done("lost");
        if (failures + 1 === CHECKPOINT_ATTEMPTS) return done("refused");
        const waitMs = backoffMs(failures, CHECKPOINT_BACKOFF, random.next);
        this.#service.parts.process.timer(waitMs, () => attempt(failures + 1));
      });
    attempt(0);
  }

  /** The consumer has returned: the lease goes to the worker that requested it, or becomes free. */
  release(): void {
    this.#over = true;
    const { process } = this.#service.parts;
    const attempt = (failures: number): void =>
      this.#row.inLine((next) => {
        const end = () => {
          next();
          this.#ears.over();
        };
        if (!this.trusted) return end();
        this.#releaseRow((result) => {
          if (result !== "trouble") return end();
          next();
          const backoff = { baseMs: RENEWAL_BASE_MS, capMs: RELEASE_PAUSE_MS };
          const waitMs = backoffMs(failures, backoff, process.random.next);
          process.timer(waitMs, () => attempt(failures + 1));
        });
      });
    attempt(0);
  }

  /** Ends the tenure at once, even with a consumer at work, after one attempt to release. */
  abandon(): void {
    if (!this.trusted) return;
    this.#lost = true;
    this.#row.inLine((next) => this.#releaseRow(next));
  }

  #releaseRow(done: (result: "written" | "trouble" | RowLost) => void): void {
    const { workerId, count } = this.#service.parts;
    const recipient = (lease: Lease) => {
      const to = nextOwner(lease);
      return to === workerId ? undefined : to;
    };
    const asked: HeldWrite = {
      write: (lease) =>
        recipient(lease) === undefined ? writes.release(lease) : writes.handOver(lease),
      after: (lease) => {
        const {
          owner: _,
          checkpointOwner: __,
          handoverTo: ___,
          handoverFrom: ____,
          ...rest
        } = lease;
        const to = recipient(lease);
        return { ...rest, ...(to !== undefined && { owner: to }) };
      },
    };
    this.#row.write(asked, (result) => {
      if (result === "written" || (result !== "trouble" && result.why === "released")) {
        this.#lost = true;
        count("leaseReleased", this.shardId);
      } else if (result !== "trouble") this.#loseRow(result);
      done(result);
    });
  }

  #renew(): void {
    this.#renewal = undefined;
    if (this.#over || !this.trusted) return;
    const { process } = this.#service.parts;
    const intervalMs = renewalIntervalMs(this.#failoverTimeMillis);
    const waitMs = this.#row.writtenMs + this.#dueMs - process.monotonicMs();
    if (waitMs > 0 && !awaitsAcknowledgement(this.lease)) {
      this.#renewal = process.timer(waitMs, () => this.#renew());
      return;
    }
    this.#guarded(RENEWAL, (result) => {
      if (result === "lost") return;
      this.#dueMs = intervalMs;
      if (result === "written") {
        this.#failures = 0;
        return this.#renew();
      }
      const backoff = { baseMs: RENEWAL_BASE_MS, capMs: intervalMs };
      const pauseMs = backoffMs(this.#failures++, backoff, process.random.next);
      process.timer(pauseMs, () => this.#renew());
    });
  }

  #guarded(write: HeldWrite, done: (result: "written" | "lost" | "trouble") => void): void {
    this.#row.inLine((next) => {
      const end = (result: "written" | "lost" | "trouble") => {
        next();
        done(result);
      };
      if (!this.trusted) return end("lost");
      this.#row.write(write, (result) => {
        if (result === "trouble") return end("trouble");
        if (result !== "written") this.#loseRow(result);
        this.#noticeHandover();
        end(this.trusted ? "written" : "lost");
      });
    });
  }

  /** The row may show that another worker requests the lease. Then the consumer must finish. */
  #noticeHandover(): void {
    const { workerId, count, process } = this.#service.parts;
    const to = nextOwner(this.lease);
    if (to === undefined || to === workerId || this.#handingOver || !this.trusted) return;
    count("handoverRequested", `${this.shardId} by ${to}`);
    this.#handingOver = true;
    this.requestStop();
    if (!this.#renewal || !awaitsAcknowledgement(this.lease)) return;
    this.#renewal.run = undefined;
    this.#renewal = process.after(0, () => this.#renew());
  }

  #loseRow(lost: RowLost): void {
    const { invariants, process } = this.#service.parts;
    // The lease may have been lost before and taken again.
    if (!this.trusted) return;
    if (lost.why === "duplicate") {
      invariants.violated(`${process.name} assumes a duplicate worker at ${this.shardId}`);
    }
    this.lose("reason" in lost ? lost.reason : lost.why);
  }
}
