// The leases that this worker holds: each is taken, consumed, kept alive meanwhile, and released
// when its consumer returns. A shard has one consumer: its entry is removed when the consumer has
// returned, not when the lease is lost.

import { sharedController, underAny, within } from "../../signals.ts";
import type { Take } from "../decisions/assignment.ts";
import type { Consume } from "../heldLease.ts";
import { actualOwner, blocksChildren, hasEnded, type Lease, nextOwner } from "../lease.ts";
import { RELEASE_PAUSE_MS, retryUntil } from "../retryUntil.ts";
import type { Surroundings } from "../surroundings.ts";
import { LeaseTableError } from "../table.ts";
import { Requests } from "./requests.ts";
import { confirmTake, type Taken, takeLease, WRITES_TO_TAKE } from "./takeLease.ts";
import { Tenure, type TenureParts } from "./tenure.ts";

export interface HoldingsParts {
  readonly consume: Consume;
  /** Whether renewals store the throughput of the shard. */
  readonly reportsThroughput: () => boolean;
  /** Another look at the leases is worthwhile. */
  readonly lookAgain: () => void;
  /** A consumer failed, or the table is gone. */
  readonly failed: (error: unknown) => void;
  /** Another live process renews this lease under our worker id. */
  readonly duplicateFound: (shardId: string) => void;
}

const TAKE = { service: "dynamodb", operation: "take" } as const;
/** After an immediate stop: how long the release of leases may take. */
const KILL_RELEASE_MS = 1_000;

export class Holdings {
  readonly #surroundings: Surroundings;
  readonly #parts: HoldingsParts;
  readonly #tenures = new Map<string, Tenure>();
  /** All work in progress, so that `ended` can wait for it. */
  readonly #running = new Set<Promise<void>>();
  /** Shards whose consumers returned without cause, and until when not to take them again. */
  readonly #restingUntilMs = new Map<string, number>();
  /** The highest counters that our own writes can have given to leases. */
  readonly #counters = new Map<string, number>();
  readonly #requests: Requests;
  /** Shards whose take has no response yet. */
  readonly #unconfirmed = new Set<string>();
  readonly #killed = sharedController();
  readonly #stopping = sharedController();

  constructor(surroundings: Surroundings, parts: HoldingsParts) {
    this.#surroundings = surroundings;
    this.#parts = parts;
    const [stopping, killed] = [this.#stopping.signal, this.#killed.signal];
    this.#requests = new Requests(surroundings, { stopping, killed });
  }

  /** Shards that have a consumer, even if the lease is lost. */
  get shardIds(): ReadonlySet<string> {
    return new Set(this.#tenures.keys());
  }

  /** Shards that must not be taken now. */
  busy(nowMs: number): ReadonlySet<string> {
    for (const [shardId, untilMs] of this.#restingUntilMs) {
      if (untilMs <= nowMs) this.#restingUntilMs.delete(shardId);
    }
    return new Set([
      ...this.#tenures.keys(),
      ...this.#restingUntilMs.keys(),
      ...this.requested,
      ...this.#unconfirmed,
    ]);
  }

  /** Shards requested from their owners. */
  get requested(): ReadonlySet<string> {
    return this.#requests.shardIds;
  }

  /** Shards that may have been handed over to this worker, which has not learned of it. */
  expected(nowMs: number): ReadonlySet<string> {
    return this.#requests.expected(nowMs);
  }

  /** The highest counter that a write of ours can have given the lease, confirmed or not. */
  ownCounter(shardId: string): number {
    return this.#counters.get(shardId) ?? 0;
  }

  /** The newest known state of the row: a scan may be older than our own writes. */
  latest(scanned: Lease): Lease {
    const held = this.#tenures.get(scanned.shardId);
    return held?.trusted && held.lease.counter > scanned.counter ? held.lease : scanned;
  }

  /** Applies a scan to the leases held: one may have been taken, or its parents have ended. */
  reconcile(leases: readonly Lease[]): void {
    const byId = new Map(leases.map((lease) => [lease.shardId, lease]));
    for (const [shardId, tenure] of this.#tenures) {
      if (tenure.isReleasing) continue;
      this.#reconcileRow(tenure, byId.get(shardId));
      const parents = tenure.lease.parentShardIds.map((id) => byId.get(id));
      if (!parents.some(blocksChildren)) tenure.parentMayHaveEnded();
    }
    for (const shardId of this.#counters.keys()) {
      if (!byId.has(shardId)) this.#counters.delete(shardId);
    }
  }

  #reconcileRow(tenure: Tenure, row: Lease | undefined): void {
    const { workerId } = this.#surroundings;
    if (!row) {
      // The row was deleted by hand, or is newer than the scan.
      if (tenure.trusted) this.#check(tenure);
      return;
    }
    const owner = actualOwner(row);
    if (row.counter > tenure.lease.counter && owner !== undefined) {
      if (owner !== workerId) tenure.lose(`worker "${owner}" took it`);
      // Our id: one of our writes is still in flight, or a duplicate worker made it. Reading the
      // row again tells which.
      else this.#check(tenure);
    }
    const next = nextOwner(row);
    const isRequested = next !== undefined && next !== workerId;
    if (isRequested && owner === workerId && !tenure.isHandingOver) this.#check(tenure);
  }

  /**
   * Applies a list of the keys under our worker id to the leases held. A missing key means that the
   * lease was taken or deleted, or that the leader is moving it: reading its row tells which. A
   * consumer that waits for parents reads their rows itself.
   */
  reconcileKeys(keys: ReadonlySet<string>): void {
    for (const [shardId, tenure] of this.#tenures) {
      if (tenure.isReleasing) continue;
      if (!keys.has(shardId) && tenure.trusted && !tenure.isHandingOver) this.#check(tenure);
      if (tenure.lease.parentShardIds.length > 0) tenure.parentMayHaveEnded();
    }
  }

  /** Takes a lease, unless another worker was faster, and starts a consumer. */
  async take(take: Take): Promise<void> {
    const { settings } = this.#surroundings;
    if (this.#stopping.signal.aborted) return;
    if (take.how === "stolen" && settings.isGracefulLeaseHandoffEnabled) this.#request(take.lease);
    else await this.#takeNow(take);
  }

  /** Requests the lease in the background, and takes it when the request is granted. */
  #request(lease: Lease): void {
    const { shardId } = lease;
    const takeWhenGranted = async () => {
      const granted = await this.#requests.request(lease);
      if (!granted || this.#tenures.has(shardId)) return;
      const from = lease.owner;
      await this.#takeNow({ ...granted, ...(from !== undefined && { from }) });
    };
    this.#run(takeWhenGranted(), () => this.#requests.close(shardId));
  }

  async #takeNow(take: Take): Promise<void> {
    const { shardId, counter } = take.lease;
    const { table, workerId, clock, failures } = this.#surroundings;
    this.#counters.set(shardId, counter + WRITES_TO_TAKE);
    try {
      const taken = await takeLease(take.lease, workerId, table, clock, this.#killed.signal);
      failures.recovered(TAKE);
      if (taken) this.#begin(take, taken);
    } catch (error) {
      failures.failed(TAKE, error, 0);
      // Otherwise nothing was written, and the next scan shows whether the lease can be taken.
      if (error instanceof LeaseTableError && error.reason === "unavailable") this.#confirm(take);
    }
  }

  /**
   * Finds out in the background whether a take without a response succeeded. If it did and nobody
   * consumed the lease, other workers would wait until it expires, so it is tried for that long.
   * During a stop, a lease that turns out to be ours is released at once.
   */
  #confirm(take: Take): void {
    const { shardId } = take.lease;
    const { table, workerId, clock, settings } = this.#surroundings;
    const attempt = (signal: AbortSignal) => {
      const highest = this.ownCounter(shardId);
      this.#counters.set(shardId, highest + 1);
      return confirmTake(take.lease, workerId, highest, table, clock, signal);
    };
    this.#unconfirmed.add(shardId);
    const limitMs = settings.failoverTimeMillis;
    const confirmed = within(limitMs, clock, this.#killed.signal, async (signal) => {
      const again = () => attempt(signal);
      const taken = await retryUntil(TAKE, again, this.#surroundings, signal, RELEASE_PAUSE_MS);
      if (taken) this.#begin(take, taken);
    });
    this.#run(confirmed, () => this.#unconfirmed.delete(shardId));
  }

  #begin({ lease, how, from: before }: Take, taken: Taken): void {
    const { emit } = this.#surroundings;
    const from = before ?? actualOwner(lease);
    emit({ type: "leaseTaken", shardId: lease.shardId, how, ...(from !== undefined && { from }) });
    this.#requests.taken(lease.shardId);
    const parts = this.#tenureParts();
    const tenure = new Tenure(taken.lease, taken.takenMs, this.#surroundings, parts);
    this.#tenures.set(lease.shardId, tenure);
    this.#run(this.#serve(tenure));
  }

  /** Asks every consumer to finish. */
  stop(): void {
    this.#stopping.abort();
    for (const tenure of this.#tenures.values()) tenure.requestStop();
  }

  /** Resolves when nothing is in progress. Call `stop` first. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /**
   * Withdraws every lease without waiting for its consumer, and releases it if DynamoDB responds.
   */
  async abandon(): Promise<void> {
    this.#killed.abort();
    const { clock } = this.#surroundings;
    const limit = sharedController();
    const released = Promise.allSettled(
      [...this.#tenures.values()].map((tenure) => tenure.abandon(limit.signal)),
    );
    await Promise.race([released, clock.sleep(KILL_RELEASE_MS, limit.signal)]);
    limit.abort();
  }

  #check(tenure: Tenure): void {
    this.#run(tenure.read());
  }

  /** From the take of a lease to its release. Never rejects. */
  async #serve(tenure: Tenure): Promise<void> {
    const over = sharedController();
    const kept = this.#guard(tenure.keep(over.signal));
    if (!this.#stopping.signal.aborted) await this.#guard(this.#parts.consume(tenure));
    over.abort();
    await kept;
    const returnedUnasked = tenure.trusted && !tenure.stopRequested.aborted;
    if (returnedUnasked && !hasEnded(tenure.lease)) this.#rest(tenure.shardId);
    await this.#release(tenure);
    this.#counters.set(tenure.shardId, tenure.lease.counter + 1);
    this.#tenures.delete(tenure.shardId);
    this.#parts.lookAgain();
  }

  async #release(tenure: Tenure): Promise<void> {
    const { signal } = this.#killed;
    const { shardId } = tenure;
    const call = { service: "dynamodb", operation: "release", shardId } as const;
    const release = async () => {
      // False when trust ran out while DynamoDB did not respond: that is no recovery.
      if (!(await tenure.release(signal))) tenure.lost.throwIfAborted();
    };
    const released = underAny([signal, tenure.lost], (over) =>
      retryUntil(call, release, this.#surroundings, over, RELEASE_PAUSE_MS),
    );
    await this.#guard(released);
  }

  /** A consumer that returned without cause would do so again at once: other workers go first. */
  #rest(shardId: string): void {
    const { clock, settings } = this.#surroundings;
    this.#restingUntilMs.set(shardId, clock.monotonicMs() + settings.failoverTimeMillis);
  }

  /** Registers work in the background, for `ended` to wait for. */
  #run(work: Promise<unknown>, finished: () => void = () => {}): void {
    const running = this.#guard(work).finally(() => {
      finished();
      this.#running.delete(running);
    });
    this.#running.add(running);
  }

  async #guard(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#parts.failed(error);
    }
  }

  #tenureParts(): TenureParts {
    const { reportsThroughput, duplicateFound, lookAgain } = this.#parts;
    return {
      reportsThroughput,
      duplicateFound,
      leasesAdded: lookAgain,
      shardEnded: (shardId) => {
        for (const tenure of this.#tenures.values()) {
          if (tenure.lease.parentShardIds.includes(shardId)) tenure.parentMayHaveEnded();
        }
      },
    };
  }
}
