// One tenure of a lease: what the consumer sees as HeldLease, and the renewals behind it. Trust ends before the lease
// does: on the monotonic clock, asked by every write and every `trusted`, so that the first code that runs after
// a stopped process learns the truth, whether or not a timer has fired.

import { underAny } from "../../anySignal.ts";
import { Bell } from "../../bell.ts";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { formatPosition, type Position } from "../../model/position.ts";
import type { ChildShard } from "../../model/shard.ts";
import { anyAborted, sharedController } from "../../signals.ts";
import { Throughput } from "../decisions/throughput.ts";
import { renewalIntervalMs, trustedUntilMs } from "../decisions/trust.ts";
import type { HeldLease, LeaseFacts } from "../heldLease.ts";
import { hasEnded, type Lease, nextOwner, standsInTheWay } from "../lease.ts";
import { persist } from "../persist.ts";
import type { LeaseTable } from "../table.ts";
import type { Trouble } from "../trouble.ts";
import { addChildLeases } from "./childLeases.ts";
import { answered, giveAway, owesAnswer } from "./handover.ts";
import { HeldRow, type RowLost, type RowWrite } from "./heldRow.ts";
import { storeCheckpoint } from "./storeCheckpoint.ts";

export interface TenureParts {
  readonly table: LeaseTable;
  readonly workerId: string;
  readonly failoverTimeMillis: number;
  /** How long a consumer may take to finish when its lease is wanted elsewhere. */
  readonly gracefulLeaseHandoffTimeoutMillis: number;
  /** Whether renewals say what the shard brings. */
  readonly tellsThroughput: () => boolean;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly trouble: Trouble;
  readonly random: () => number;
  /** SHARD_END was stored for this shard. */
  readonly shardEnded: (shardId: string) => void;
  /** There are new leases to be taken. */
  readonly leasesAdded: () => void;
  /** Somebody renews this lease under our name. */
  readonly duplicateFound: (shardId: string) => void;
}

export class Tenure implements HeldLease {
  readonly shardId: string;
  readonly #parts: TenureParts;
  readonly #row: HeldRow;
  readonly #lost = sharedController();
  readonly #stop = sharedController();
  /** Aborted when the lease is wanted elsewhere. */
  readonly #handover = sharedController();
  readonly #parentNews = new Bell();
  /** A renewal is due now. */
  readonly #renewNow = new Bell();
  readonly #throughput = new Throughput();
  #isReleasing = false;

  /** @param takenMs monotonic time at which the write began that made the lease ours. */
  constructor(lease: Lease, takenMs: number, parts: TenureParts) {
    this.shardId = lease.shardId;
    this.#row = new HeldRow(lease, takenMs, parts);
    this.#parts = parts;
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
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs < this.trustedUntilMs) return true;
    this.lose(
      `it could not be renewed for ${Math.round(nowMs - this.#row.writtenMs)} ms; failoverTimeMillis is ${this.#parts.failoverTimeMillis}`,
    );
    return false;
  }

  requestStop(): void {
    this.#stop.abort();
  }

  delivered(bytes: number): void {
    this.#throughput.add(bytes);
  }

  /** True from the moment when this worker knows that the lease is wanted elsewhere. */
  get isHandingOver(): boolean {
    return this.#handover.signal.aborted;
  }

  /** True from the moment when it is being given up: that it is another's now is no news. */
  get isReleasing(): boolean {
    return this.#isReleasing;
  }

  /** The lease is not ours any more; nothing is written after. */
  lose(reason: string): void {
    if (this.lost.aborted) return;
    this.#lost.abort(new Error(`the lease of ${this.shardId} was lost: ${reason}`));
    this.#parts.emit({ type: "leaseLost", shardId: this.shardId, reason });
  }

  /** Keeps the lease until `over` is aborted or it is lost. */
  async keep(over: AbortSignal): Promise<void> {
    await underAny([over, this.lost], async (ended) => {
      await Promise.all([this.#renewals(ended), this.#watch(ended), this.#limitHandover(ended)]);
    });
  }

  /**
   * Gives the lease up, to whoever waits for it or so that others may take it now.
   *
   * @returns false when it was lost before: then nothing is written.
   */
  async release(signal: AbortSignal): Promise<boolean> {
    this.#isReleasing = true;
    return this.#row.inLine(async () => {
      if (!this.trusted) return false;
      await this.#releaseRow(signal);
      return true;
    });
  }

  /** Ends the tenure whatever the consumer does, and still tries to release the lease until the signal is aborted. */
  async abandon(signal: AbortSignal): Promise<void> {
    if (!this.trusted) return;
    this.#lost.abort(new Error(`the lease of ${this.shardId} was given up: an immediate stop`));
    // Nobody writes after this, and the counter guards the row; so it may be released although trust is gone.
    await this.#row.inLine(() => this.#releaseRow(signal));
  }

  async read(): Promise<LeaseFacts | undefined> {
    const found = await this.#untilLost("read lease", () =>
      this.#row.inLine(() => this.#row.look(this.lost)),
    );
    if (found && found.why !== "ours") await this.#loseRow(found);
    this.#noticeHandover();
    if (!this.trusted) return undefined;
    const { checkpoint, parentShardIds, hashKeyRange } = this.lease;
    return { checkpoint, parentShardIds, ...(hashKeyRange && { hashKeyRange }) };
  }

  async parentsEnded(): Promise<boolean> {
    this.#parentNews.clear();
    for (const parent of this.lease.parentShardIds) {
      const ended = await this.#untilLost("read lease", async () => {
        const lease = await this.#parts.table.read(parent, this.lost);
        return !standsInTheWay(lease);
      });
      if (!ended) return false;
    }
    return true;
  }

  async parentsChanged(pollMs: number): Promise<void> {
    await this.#parentNews.sleep(this.#parts.clock, pollMs, this.lost, this.stopRequested);
  }

  /** A parent of this shard may have ended. */
  ring(): void {
    this.#parentNews.ring();
  }

  async checkpoint(position: Position): Promise<"stored" | "lost"> {
    const write: RowWrite = {
      write: (lease, signal) => this.#parts.table.checkpoint(lease, position, signal),
      after: (lease) => ({
        ...answered(lease),
        checkpoint: position,
        ownerSwitchesSinceCheckpoint: 0,
      }),
    };
    const result = await storeCheckpoint(this, () => this.#guarded(write), this.#parts);
    if (result === "stored" && hasEnded(this.lease)) this.#parts.shardEnded(this.shardId);
    return result;
  }

  async addChildren(children: readonly ChildShard[]): Promise<"added" | "later" | "lost"> {
    const { table, emit, leasesAdded } = this.#parts;
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
    if (result === "added") leasesAdded();
    if (typeof result === "object") this.lose(result.lost);
    return this.trusted && typeof result === "string" ? result : "lost";
  }

  async #renewals(ended: AbortSignal): Promise<void> {
    const { clock, table, emit, failoverTimeMillis, random } = this.#parts;
    const intervalMs = renewalIntervalMs(failoverTimeMillis);
    // Leases that were taken together need not be renewed together ever after: a partition takes 1,000 writes a second.
    let dueMs = intervalMs * random();
    const renewal: RowWrite = {
      write: (lease, signal) => table.renew(lease, signal, this.#throughputToTell()),
      after: answered,
    };
    while (!ended.aborted) {
      // A checkpoint is a renewal too: the next one is due an interval after the last write of any kind.
      const waitMs = this.#row.writtenMs + dueMs - clock.monotonicMs();
      if (waitMs > 0 && !owesAnswer(this.lease)) {
        await this.#renewNow.sleep(clock, waitMs, ended);
        this.#renewNow.clear();
        continue;
      }
      const result = await this.#untilLost("renew", () => this.#guarded(renewal), ended);
      dueMs = intervalMs;
      if (result === "written") emit({ type: "leaseRenewed", shardId: this.shardId });
    }
  }

  #throughputToTell(): number | undefined {
    if (!this.#parts.tellsThroughput()) return undefined;
    return this.#throughput.average(this.#parts.clock.monotonicMs());
  }

  /** The row may have told that the lease is wanted elsewhere: then the consumer is asked to finish. */
  #noticeHandover(): void {
    const to = nextOwner(this.lease);
    if (to === undefined || to === this.#parts.workerId || this.isHandingOver || !this.trusted) {
      return;
    }
    this.#parts.emit({ type: "handoverRequested", shardId: this.shardId, to });
    this.#handover.abort();
    this.#stop.abort();
    if (owesAnswer(this.lease)) this.#renewNow.ring();
  }

  /** A consumer that does not finish in time goes without its lease. */
  async #limitHandover(ended: AbortSignal): Promise<void> {
    const { clock, gracefulLeaseHandoffTimeoutMillis: limitMs } = this.#parts;
    await anyAborted(this.#handover.signal, ended);
    await clock.sleep(limitMs, ended);
    if (ended.aborted || !this.trusted) return;
    this.lose(`worker "${nextOwner(this.lease)}" waits for it, and its child took ${limitMs} ms`);
    const release = this.#row.inLine(() => this.#releaseRow(new AbortController().signal));
    // What cannot be handed over now expires.
    await release.catch(() => undefined);
  }

  /** Fires `lost` on time when nobody asks. */
  async #watch(ended: AbortSignal): Promise<void> {
    while (!ended.aborted && this.trusted) {
      await this.#parts.clock.sleep(this.trustedUntilMs - this.#parts.clock.monotonicMs(), ended);
    }
  }

  /** Monotonic time at which trust runs out, unless the lease is lost or renewed before. */
  get trustedUntilMs(): number {
    return trustedUntilMs(this.#row.writtenMs, this.#parts.failoverTimeMillis);
  }

  async #untilLost<T>(
    operation: string,
    attempt: () => Promise<T>,
    signal: AbortSignal = this.lost,
  ): Promise<T | undefined> {
    const work = { service: "dynamodb", operation, who: this.shardId } as const;
    // No wait is longer than a renewal interval: a lease that could be kept must not be lost to a long nap.
    const capMs = renewalIntervalMs(this.#parts.failoverTimeMillis);
    return persist(work, attempt, this.#parts, signal, capMs);
  }

  #guarded(write: RowWrite): Promise<"written" | "lost"> {
    return this.#row.inLine(async () => {
      if (!this.trusted) return "lost";
      const result = await this.#row.write(write, this.lost);
      if (result !== "written") await this.#loseRow(result);
      this.#noticeHandover();
      return this.trusted ? "written" : "lost";
    });
  }

  async #releaseRow(signal: AbortSignal): Promise<void> {
    const { table, workerId, emit } = this.#parts;
    const result = await this.#row.write(giveAway(table, workerId), signal);
    if (result !== "written" && result.why !== "released") {
      await this.#loseRow(result);
      return;
    }
    const to = result === "written" ? this.lease.owner : result.to;
    this.#lost.abort(new Error(`the lease of ${this.shardId} was released`));
    emit({ type: "leaseReleased", shardId: this.shardId, ...(to !== undefined && { to }) });
  }

  async #loseRow(lost: RowLost): Promise<void> {
    const { workerId, duplicateFound } = this.#parts;
    if (lost.why === "duplicate") {
      duplicateFound(this.shardId);
      this.lose(`another process renews it under our workerId "${workerId}"`);
    } else if (lost.why === "deleted" && this.trusted && !hasEnded(this.lease)) {
      // No other worker can have finished the shard: a person deleted the row, and only we know what was in it.
      const { table } = this.#parts;
      await this.#untilLost("put lease back", () => table.putBack(this.lease, this.lost));
      this.lose(`${lost.reason}; it is put back at ${formatPosition(this.lease.checkpoint)}`);
    } else {
      this.lose(lost.reason);
    }
  }
}
