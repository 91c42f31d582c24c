// One tenure of a lease, which the consumer sees as HeldLease. It decides for how long the lease is
// trusted; renewals.ts keeps it, handoverDeadline.ts limits a handover.
//
// Trust ends before the lease expires. It is checked on the monotonic clock by every write and
// every read of `trusted`, so the first code that runs after a suspended process gets the right
// answer, whether or not a timer has fired.

import { formatPosition, type Position } from "../../model/position.ts";
import type { ChildShard } from "../../model/shard.ts";
import { sharedController, underAny } from "../../signals.ts";
import { WakeUp } from "../../wakeUp.ts";
import { renewalIntervalMs, trustedUntilMs } from "../decisions/trust.ts";
import type { HeldLease, LeaseFacts } from "../heldLease.ts";
import { blocksChildren, hasEnded, type Lease, nextOwner } from "../lease.ts";
import { retryUntil } from "../retryUntil.ts";
import type { Surroundings } from "../surroundings.ts";
import { addChildLeases } from "./childLeases.ts";
import { acknowledged, awaitsAcknowledgement, releaseOrHandOver } from "./handover.ts";
import { HandoverDeadline } from "./handoverDeadline.ts";
import { HeldRow, type RowLost, type RowWrite } from "./heldRow.ts";
import { Renewals } from "./renewals.ts";
import { storeCheckpoint } from "./storeCheckpoint.ts";

export interface TenureParts {
  /** Whether renewals store the throughput of the shard. */
  readonly reportsThroughput: () => boolean;
  /** SHARD_END was stored for this shard. */
  readonly shardEnded: (shardId: string) => void;
  /** New leases were created. */
  readonly leasesAdded: () => void;
  /** Another live process renews this lease under our worker id. */
  readonly duplicateFound: (shardId: string) => void;
}

export class Tenure implements HeldLease {
  readonly shardId: string;
  readonly #surroundings: Surroundings;
  readonly #parts: TenureParts;
  readonly #row: HeldRow;
  readonly #renewals: Renewals;
  readonly #deadline: HandoverDeadline;
  readonly #lost = sharedController();
  readonly #stop = sharedController();
  readonly #parentWakeUp = new WakeUp();
  #isReleasing = false;

  /** @param takenMs monotonic time at which the write began that made the lease ours. */
  constructor(lease: Lease, takenMs: number, surroundings: Surroundings, parts: TenureParts) {
    this.shardId = lease.shardId;
    this.#row = new HeldRow(lease, takenMs, surroundings);
    this.#surroundings = surroundings;
    this.#parts = parts;
    this.#deadline = new HandoverDeadline(surroundings.settings.gracefulLeaseHandoffTimeoutMillis);
    this.#renewals = new Renewals(surroundings, {
      row: this.#row,
      write: (change, signal) => this.#untilLost("renew", () => this.#guarded(change), signal),
      reportsThroughput: parts.reportsThroughput,
    });
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get stopRequested(): AbortSignal {
    return this.#stop.signal;
  }

  /** The row as this worker knows it. */
  get lease(): Lease {
    return this.#row.lease;
  }

  get trusted(): boolean {
    if (this.lost.aborted) return false;
    const { clock, settings } = this.#surroundings;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.trustedUntilMs) return true;
    this.lose(
      `it could not be renewed for ${Math.round(nowMs - this.#row.writtenMs)} ms; failoverTimeMillis is ${settings.failoverTimeMillis}`,
    );
    return false;
  }

  /** Monotonic time at which trust runs out, unless the lease is lost or renewed before. */
  get trustedUntilMs(): number {
    return trustedUntilMs(this.#row.writtenMs, this.#surroundings.settings.failoverTimeMillis);
  }

  requestStop(): void {
    this.#stop.abort();
  }

  delivered(bytes: number): void {
    this.#renewals.delivered(bytes);
  }

  /** True from the moment when this worker knows that another one requested the lease. */
  get isHandingOver(): boolean {
    return this.#deadline.isRequested;
  }

  /** True from the moment when the release begins: from then on another owner is expected. */
  get isReleasing(): boolean {
    return this.#isReleasing;
  }

  /** The lease is no longer ours; nothing is written after this. */
  lose(reason: string): void {
    if (this.lost.aborted) return;
    this.#lost.abort(new Error(`the lease of ${this.shardId} was lost: ${reason}`));
    this.#surroundings.emit({ type: "leaseLost", shardId: this.shardId, reason });
  }

  /** Keeps the lease until `over` is aborted or the lease is lost. */
  async keep(over: AbortSignal): Promise<void> {
    await underAny([over, this.lost], async (ended) => {
      await Promise.all([
        this.#renewals.run(ended),
        this.#loseOnTime(ended),
        this.#enforceDeadline(ended),
      ]);
    });
  }

  /**
   * Gives the lease to the worker that requested it, or to nobody so that any worker may take it.
   *
   * @returns false when the lease was lost before: then nothing is written.
   */
  async release(signal: AbortSignal): Promise<boolean> {
    this.#isReleasing = true;
    return this.#row.inQueue(async () => {
      if (!this.trusted) return false;
      await this.#releaseRow(signal);
      return true;
    });
  }

  /**
   * Ends the tenure without waiting for the consumer, and tries to release the lease until the
   * signal is aborted.
   */
  async abandon(signal: AbortSignal): Promise<void> {
    if (!this.trusted) return;
    this.#lost.abort(new Error(`the lease of ${this.shardId} was given up: an immediate stop`));
    // The consumer writes nothing after this, and the counter guards the row. So the row may be
    // released although the lease is no longer trusted.
    await this.#row.inQueue(() => this.#releaseRow(signal));
  }

  async read(): Promise<LeaseFacts | undefined> {
    const found = await this.#untilLost("read lease", () =>
      this.#row.inQueue(() => this.#row.readAgain(this.lost)),
    );
    if (found && found.why !== "ours") await this.#loseRow(found);
    this.#noticeHandover();
    if (!this.trusted) return undefined;
    const { checkpoint, parentShardIds, hashKeyRange } = this.lease;
    return { checkpoint, parentShardIds, ...(hashKeyRange && { hashKeyRange }) };
  }

  async parentsEnded(): Promise<boolean> {
    this.#parentWakeUp.clear();
    for (const parent of this.lease.parentShardIds) {
      const ended = await this.#untilLost("read lease", async () => {
        const lease = await this.#surroundings.table.read(parent, this.lost);
        return !blocksChildren(lease);
      });
      if (!ended) return false;
    }
    return true;
  }

  async parentsChanged(pollMs: number): Promise<void> {
    const { clock } = this.#surroundings;
    await this.#parentWakeUp.sleep(clock, pollMs, this.lost, this.stopRequested);
  }

  /** A parent of this shard may have ended. */
  parentMayHaveEnded(): void {
    this.#parentWakeUp.trigger();
  }

  async checkpoint(position: Position): Promise<"stored" | "lost"> {
    const { table } = this.#surroundings;
    const write: RowWrite = {
      write: (lease, signal) => table.checkpoint(lease, position, signal),
      after: (lease) => ({
        ...acknowledged(lease),
        checkpoint: position,
        ownerSwitchesSinceCheckpoint: 0,
      }),
    };
    const result = await storeCheckpoint(this, () => this.#guarded(write), this.#surroundings);
    if (result === "stored" && hasEnded(this.lease)) this.#parts.shardEnded(this.shardId);
    return result;
  }

  async addChildren(children: readonly ChildShard[]): Promise<"added" | "later" | "lost"> {
    const { table, emit } = this.#surroundings;
    if (!this.trusted) return "lost";
    const result = await this.#untilLost("add children", () =>
      addChildLeases(
        this.shardId,
        children,
        table,
        ({ shardId, checkpoint }) => emit({ type: "leaseCreated", shardId, checkpoint }),
        () => this.trusted,
        this.lost,
      ),
    );
    if (result === "added") this.#parts.leasesAdded();
    if (typeof result === "object") this.lose(result.lost);
    return this.trusted && typeof result === "string" ? result : "lost";
  }

  /** Asks the consumer to finish when the row shows that another worker requested the lease. */
  #noticeHandover(): void {
    const { emit, workerId } = this.#surroundings;
    const to = nextOwner(this.lease);
    if (to === undefined || to === workerId || this.isHandingOver || !this.trusted) return;
    emit({ type: "handoverRequested", shardId: this.shardId, to });
    this.#deadline.start();
    this.#stop.abort();
    if (awaitsAcknowledgement(this.lease)) this.#renewals.acknowledgeNow();
  }

  /** A consumer that does not finish in time loses its lease. */
  async #enforceDeadline(ended: AbortSignal): Promise<void> {
    if (!(await this.#deadline.isMissed(this.#surroundings.clock, ended)) || !this.trusted) return;
    this.lose(
      `worker "${nextOwner(this.lease)}" waits for it, and its child took longer than ${this.#deadline.limitMs} ms`,
    );
    const release = this.#row.inQueue(() => this.#releaseRow(new AbortController().signal));
    // A lease that cannot be handed over now expires.
    await release.catch(() => undefined);
  }

  /** Aborts `lost` when trust runs out, even if nobody reads `trusted`. */
  async #loseOnTime(ended: AbortSignal): Promise<void> {
    const { clock } = this.#surroundings;
    while (!ended.aborted && this.trusted) {
      await clock.sleep(this.trustedUntilMs - clock.monotonicMs(), ended);
    }
  }

  async #untilLost<T>(
    operation: string,
    attempt: () => Promise<T>,
    signal: AbortSignal = this.lost,
  ): Promise<T | undefined> {
    const { settings } = this.#surroundings;
    const call = { service: "dynamodb", operation, shardId: this.shardId } as const;
    // A longer wait between two attempts could lose a lease that a third attempt would have kept.
    const capMs = renewalIntervalMs(settings.failoverTimeMillis);
    return retryUntil(call, attempt, this.#surroundings, signal, capMs);
  }

  #guarded(write: RowWrite): Promise<"written" | "lost"> {
    return this.#row.inQueue(async () => {
      if (!this.trusted) return "lost";
      const result = await this.#row.write(write, this.lost);
      if (result !== "written") await this.#loseRow(result);
      this.#noticeHandover();
      return this.trusted ? "written" : "lost";
    });
  }

  async #releaseRow(signal: AbortSignal): Promise<void> {
    const { table, workerId, emit } = this.#surroundings;
    const result = await this.#row.write(releaseOrHandOver(table, workerId), signal);
    if (result !== "written" && result.why !== "released") {
      await this.#loseRow(result);
      return;
    }
    const to = result === "written" ? this.lease.owner : result.to;
    this.#lost.abort(new Error(`the lease of ${this.shardId} was released`));
    emit({ type: "leaseReleased", shardId: this.shardId, ...(to !== undefined && { to }) });
  }

  async #loseRow(lost: RowLost): Promise<void> {
    const { table, workerId } = this.#surroundings;
    if (lost.why === "duplicate") {
      this.#parts.duplicateFound(this.shardId);
      this.lose(`another process renews it under our workerId "${workerId}"`);
    } else if (lost.why === "deleted" && this.trusted && !hasEnded(this.lease)) {
      // Cleanup deletes only finished leases, so an operator deleted this row. Only this worker
      // knows its content.
      await this.#untilLost("put lease back", () => table.putBack(this.lease, this.lost));
      this.lose(`${lost.reason}; it is put back at ${formatPosition(this.lease.checkpoint)}`);
    } else {
      this.lose(lost.reason);
    }
  }
}
