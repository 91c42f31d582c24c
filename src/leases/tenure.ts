// One tenure of a lease: what the consumer sees as HeldLease, and the renewals behind it. It owns three promises.
// One writer at a time: renewals and checkpoints stand in one line, for each names the counter that the last one wrote.
// Trust ends before the lease does: on the monotonic clock, asked by every write and every `trusted`, not by timers alone.
// A lost answer is not a lost lease: a conflict is explained by reading the row again, and the write repeated.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { CheckpointError } from "../model/errors.ts";
import type { Position } from "../model/position.ts";
import type { ChildShard } from "../model/shard.ts";
import { backoffMs } from "../retry.ts";
import { Bell } from "./bell.ts";
import { addChildLeases } from "./childLeases.ts";
import { explain } from "./conflict.ts";
import type { HeldLease, LeaseFacts } from "./heldLease.ts";
import { hasEnded, type Lease } from "./lease.ts";
import { persist } from "./persist.ts";
import { type LeaseTable, LeaseTableError, type WriteResult } from "./table.ts";
import type { Trouble } from "./trouble.ts";
import { renewalIntervalMs, trustedUntilMs } from "./trust.ts";

export interface TenureParts {
  readonly table: LeaseTable;
  readonly workerId: string;
  readonly failoverTimeMillis: number;
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

/** What a child waits for is told to it within this many attempts; it may try again itself. */
const CHECKPOINT_ATTEMPTS = 5;
/** The second follows a lost answer; a third would mean that somebody puts old rows back. */
const WRITE_ATTEMPTS = 3;
const CHECKPOINT_BACKOFF = { baseMs: 50, capMs: 1_000 };

export class Tenure implements HeldLease {
  readonly shardId: string;
  readonly #parts: TenureParts;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  /** The row as we last knew it to be. */
  #lease: Lease;
  /** Monotonic time at which the last successful write began. */
  #writtenMs: number;
  /** A write was sent and never answered: the row may be one counter ahead. */
  #inDoubt = false;
  /** The end of the line of writes. */
  #line: Promise<unknown> = Promise.resolve();
  readonly #parentNews = new Bell();

  /** @param takenMs monotonic time at which the write began that made the lease ours. */
  constructor(lease: Lease, takenMs: number, parts: TenureParts) {
    this.shardId = lease.shardId;
    this.#lease = lease;
    this.#writtenMs = takenMs;
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
    return this.#lease;
  }

  get trusted(): boolean {
    if (this.lost.aborted) return false;
    if (this.#parts.clock.monotonicMs() < this.#trustedUntilMs) return true;
    this.lose(
      `it could not be renewed for ${Math.round(this.#parts.clock.monotonicMs() - this.#writtenMs)} ms (failoverTimeMillis is ${this.#parts.failoverTimeMillis})`,
    );
    return false;
  }

  requestStop(): void {
    this.#stop.abort();
  }

  /** Ends the tenure whatever the consumer does, and still tries to release the lease until the signal is aborted. */
  async abandon(signal: AbortSignal): Promise<void> {
    if (!this.trusted) return;
    this.#lost.abort(new Error(`the lease of ${this.shardId} was given up: an immediate stop`));
    await this.release(signal, true);
  }

  /** The lease is not ours any more; nothing is written after. */
  lose(reason: string): void {
    if (this.lost.aborted) return;
    this.#lost.abort(new Error(`the lease of ${this.shardId} was lost: ${reason}`));
    this.#parts.emit({ type: "leaseLost", shardId: this.shardId, reason });
  }

  /** Keeps the lease until `over` is aborted or it is lost. */
  async keep(over: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([over, this.lost]);
    await Promise.all([this.#renewals(ended), this.#watch(ended)]);
  }

  /**
   * Gives the lease up, once, so that others may take it now. Does nothing when it was lost.
   *
   * @param force also when our trust has been withdrawn by hand: the counter still guards the row.
   */
  async release(signal: AbortSignal, force = false): Promise<void> {
    const { table, emit } = this.#parts;
    const result = await this.#inLine(async () => {
      if (!force && !this.trusted) return "lost";
      return this.#write(
        (lease) => table.release(lease, signal),
        ({ owner: _, ...lease }) => lease,
        signal,
      );
    });
    if (result === "lost") return;
    this.#lost.abort(new Error(`the lease of ${this.shardId} was released`));
    emit({ type: "leaseReleased", shardId: this.shardId });
  }

  async read(): Promise<LeaseFacts | undefined> {
    const found = await this.#untilLost("GetItem", () =>
      this.#inLine(async () => {
        const row = await this.#parts.table.read(this.shardId, this.lost);
        const { counter } = this.#lease;
        if (row?.owner === this.#parts.workerId && row.counter >= counter) return row;
        this.#conflict(row);
        return undefined;
      }),
    );
    if (!found || !this.trusted) return undefined;
    const { checkpoint, parentShardIds, hashKeyRange } = found;
    return { checkpoint, parentShardIds, ...(hashKeyRange && { hashKeyRange }) };
  }

  async parentsEnded(): Promise<boolean> {
    this.#parentNews.clear();
    for (const parent of this.#lease.parentShardIds) {
      const ended = await this.#untilLost("GetItem", async () => {
        const lease = await this.#parts.table.read(parent, this.lost);
        return lease === undefined || hasEnded(lease);
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
    const { clock, random, trouble, shardEnded } = this.#parts;
    const work = { service: "dynamodb", operation: "checkpoint", who: this.shardId } as const;
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await this.#storeOnce(position);
        trouble.recovered(work);
        if (result === "lost") return "lost";
        if (position.sequenceNumber === "SHARD_END") shardEnded(this.shardId);
        return "stored";
      } catch (error) {
        const waitMs = backoffMs(attempt - 1, CHECKPOINT_BACKOFF, random);
        if (this.trusted && attempt < CHECKPOINT_ATTEMPTS && mayPass(error)) {
          trouble.failed(work, error, waitMs);
          await clock.sleep(waitMs, this.lost);
          continue;
        }
        trouble.gaveUp(work);
        if (!this.trusted) return "lost";
        throw checkpointError(error);
      }
    }
  }

  #storeOnce(position: Position): Promise<"written" | "lost"> {
    return this.#guarded(
      (lease) => this.#parts.table.checkpoint(lease, position, this.lost),
      (lease) => ({ ...lease, checkpoint: position, ownerSwitchesSinceCheckpoint: 0 }),
    );
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
        this.lost,
      ),
    );
    if (result === "added") {
      this.#lease = { ...this.#lease, childShardIds: children.map((child) => child.shardId) };
      leasesAdded();
    }
    if (result === "lost") this.lose("its row was deleted from the lease table");
    return this.trusted ? (result ?? "lost") : "lost";
  }

  async #renewals(ended: AbortSignal): Promise<void> {
    const { clock, table, emit, failoverTimeMillis } = this.#parts;
    const intervalMs = renewalIntervalMs(failoverTimeMillis);
    while (!ended.aborted) {
      // A checkpoint is a renewal too: the next one is due an interval after the last write of any kind.
      const dueMs = this.#writtenMs + intervalMs;
      if (dueMs > clock.monotonicMs()) {
        await clock.sleep(dueMs - clock.monotonicMs(), ended);
        continue;
      }
      const renewal = () =>
        this.#guarded(
          (lease) => table.renew(lease, this.lost),
          (lease) => lease,
        );
      const result = await this.#untilLost("renew", renewal, ended);
      if (result === "written") emit({ type: "leaseRenewed", shardId: this.shardId });
    }
  }

  /** Fires `lost` on time when nobody asks. */
  async #watch(ended: AbortSignal): Promise<void> {
    while (!ended.aborted && this.trusted) {
      await this.#parts.clock.sleep(this.#trustedUntilMs - this.#parts.clock.monotonicMs(), ended);
    }
  }

  get #trustedUntilMs(): number {
    return trustedUntilMs(this.#writtenMs, this.#parts.failoverTimeMillis);
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

  #inLine<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#line.then(work, work);
    this.#line = result.catch(() => undefined);
    return result;
  }

  #guarded(
    write: (lease: Lease) => Promise<WriteResult>,
    after: (lease: Lease) => Lease,
  ): Promise<"written" | "lost"> {
    return this.#inLine(async () => {
      if (!this.trusted) return "lost";
      const result = await this.#write(write, after, this.lost);
      return this.trusted ? result : "lost";
    });
  }

  /** One attempt, and a second one if it turns out that an earlier write had come through unheard. */
  async #write(
    write: (lease: Lease) => Promise<WriteResult>,
    after: (lease: Lease) => Lease,
    signal: AbortSignal,
  ): Promise<"written" | "lost"> {
    for (let attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
      const startMs = this.#parts.clock.monotonicMs();
      const result = await this.#attempt(() => write(this.#lease));
      if (result === "written") {
        this.#lease = after({ ...this.#lease, counter: this.#lease.counter + 1 });
        this.#inDoubt = false;
        this.#writtenMs = startMs;
        return "written";
      }
      const found = await this.#parts.table.read(this.shardId, signal);
      if (this.#conflict(found) === "lost") return "lost";
    }
    throw new LeaseTableError(
      "unavailable",
      `the lease of ${this.shardId} refused ${WRITE_ATTEMPTS} writes in a row, though it is ours`,
    );
  }

  async #attempt(write: () => Promise<WriteResult>): Promise<WriteResult> {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof LeaseTableError) || error.trouble === "unavailable") {
        this.#inDoubt = true;
      }
      throw error;
    }
  }

  #conflict(found: Lease | undefined): "ours" | "lost" {
    const { workerId, duplicateFound } = this.#parts;
    const conflict = explain(this.#lease, this.#inDoubt, found, workerId);
    if (conflict.why === "ours") {
      this.#lease = conflict.lease;
      this.#inDoubt = false;
      return "ours";
    }
    if (conflict.why === "duplicate") duplicateFound(this.shardId);
    this.lose(
      conflict.why === "lost"
        ? conflict.reason
        : `another process renews it under our workerId "${workerId}"`,
    );
    return "lost";
  }
}

function mayPass(error: unknown): boolean {
  return (
    error instanceof LeaseTableError &&
    (error.trouble === "throttled" || error.trouble === "unavailable")
  );
}

function checkpointError(error: unknown): Error {
  const message = error instanceof Error ? error.message : String(error);
  const trouble = error instanceof LeaseTableError ? error.trouble : undefined;
  const name =
    trouble === "throttled"
      ? "ThrottlingException"
      : trouble === "tableMissing"
        ? "InvalidStateException"
        : "KinesisClientLibDependencyException";
  return new CheckpointError(name, message, { cause: error });
}
