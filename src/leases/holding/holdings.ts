// The leases that this worker holds: each is taken, consumed, kept alive meanwhile, and released when its consumer
// returns. One consumer a shard: an entry goes when its consumer has returned, not when its lease is lost.

import { underAny } from "../../anySignal.ts";
import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { sharedController, within } from "../../signals.ts";
import type { Take } from "../decisions/assignment.ts";
import type { Consume } from "../heldLease.ts";
import { actualOwner, hasEnded, type Lease, nextOwner, standsInTheWay } from "../lease.ts";
import { persist, RELEASE_PAUSE_MS } from "../persist.ts";
import { type LeaseTable, LeaseTableError } from "../table.ts";
import type { Trouble } from "../trouble.ts";
import { Requests } from "./requests.ts";
import { type Taken, takeLease, takeUp, WRITES_TO_TAKE } from "./takeLease.ts";
import { Tenure, type TenureParts } from "./tenure.ts";

export interface HoldingsParts {
  readonly table: LeaseTable;
  readonly workerId: string;
  readonly failoverTimeMillis: number;
  readonly gracefulLeaseHandoffTimeoutMillis: number;
  /** Live workers are asked for their leases, not robbed of them. */
  readonly isGracefulLeaseHandoffEnabled: boolean;
  /** Whether renewals say what a shard brings. */
  readonly tellsThroughput: () => boolean;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly trouble: Trouble;
  readonly random: () => number;
  readonly consume: Consume;
  /** It is worthwhile to look at all leases again. */
  readonly news: () => void;
  /** A consumer failed, or the table is gone. */
  readonly failed: (error: unknown) => void;
  /** Somebody renews this lease under our name. */
  readonly duplicateFound: (shardId: string) => void;
}

const TAKE = { service: "dynamodb", operation: "take", who: "" } as const;
/** After an immediate stop: how long leases may take to be released. */
const KILL_RELEASE_MS = 1_000;

export class Holdings {
  readonly #parts: HoldingsParts;
  readonly #tenures = new Map<string, Tenure>();
  /** All that is under way, so that nothing is left running. */
  readonly #running = new Set<Promise<void>>();
  /** Shards that a consumer left without reason, and until when not to take them again. */
  readonly #restingUntilMs = new Map<string, number>();
  /** The highest counters that our own writes can have made, of leases held before or wanted in vain. */
  readonly #counters = new Map<string, number>();
  readonly #requests: Requests;
  /** Shards of which it is not known whether they are ours. */
  readonly #unsettled = new Set<string>();
  readonly #killed = sharedController();
  readonly #stopping = sharedController();

  constructor(parts: HoldingsParts) {
    this.#parts = parts;
    const [stopping, killed] = [this.#stopping.signal, this.#killed.signal];
    this.#requests = new Requests({ ...parts, stopping, killed });
  }

  /** Shards that have a consumer, though its lease may be lost. */
  get shardIds(): ReadonlySet<string> {
    return new Set(this.#tenures.keys());
  }

  /** Shards that are not to be taken now. */
  busy(nowMs: number): ReadonlySet<string> {
    for (const [shardId, untilMs] of this.#restingUntilMs) {
      if (untilMs <= nowMs) this.#restingUntilMs.delete(shardId);
    }
    return new Set([
      ...this.#tenures.keys(),
      ...this.#restingUntilMs.keys(),
      ...this.requested,
      ...this.#unsettled,
    ]);
  }

  /** Shards that their owners were asked for. */
  get requested(): ReadonlySet<string> {
    return this.#requests.shardIds;
  }

  /** Shards that may have been handed over to us without our having heard of it. */
  expected(nowMs: number): ReadonlySet<string> {
    return this.#requests.expected(nowMs);
  }

  /** The highest counter that a write of ours can have given the lease: it may have come through unheard, or late. */
  ownCounter(shardId: string): number {
    return this.#counters.get(shardId) ?? 0;
  }

  /** The row as it is by all that we know: a scan may be older than our own writes. */
  latest(scanned: Lease): Lease {
    const held = this.#tenures.get(scanned.shardId);
    return held?.trusted && held.lease.counter > scanned.counter ? held.lease : scanned;
  }

  /** What a scan means for those who hold leases: one was taken from them, or their parents have ended. */
  tell(leases: readonly Lease[]): void {
    const byId = new Map(leases.map((lease) => [lease.shardId, lease]));
    for (const [shardId, tenure] of this.#tenures) {
      if (tenure.isReleasing) continue;
      const row = byId.get(shardId);
      const owner = row && actualOwner(row);
      // Deleted by hand, or newer than the scan.
      if (!row && tenure.trusted) this.#check(tenure);
      if (row && row.counter > tenure.lease.counter && owner !== undefined) {
        if (owner !== this.#parts.workerId) tenure.lose(`worker "${owner}" took it`);
        // Under our own name: a write of ours that is still under way, or a double. Reading it again will tell.
        else this.#check(tenure);
      }
      const next = row && nextOwner(row);
      const isWanted = next !== undefined && next !== this.#parts.workerId;
      if (isWanted && owner === this.#parts.workerId && !tenure.isHandingOver) this.#check(tenure);
      const parents = tenure.lease.parentShardIds.map((id) => byId.get(id));
      if (!parents.some(standsInTheWay)) tenure.ring();
    }
    for (const shardId of this.#counters.keys()) {
      if (!byId.has(shardId)) this.#counters.delete(shardId);
    }
  }

  /**
   * What the keys under our name mean for those who hold leases: one that is missing was taken, deleted, or is wanted by the leader.
   * Reading its row will tell. Who waits for parents looks at their rows itself.
   */
  tellKeys(keys: ReadonlySet<string>): void {
    for (const [shardId, tenure] of this.#tenures) {
      if (tenure.isReleasing) continue;
      if (!keys.has(shardId) && tenure.trusted && !tenure.isHandingOver) this.#check(tenure);
      if (tenure.lease.parentShardIds.length > 0) tenure.ring();
    }
  }

  /** Takes a lease, if nobody was faster, and sets a consumer to work on it. */
  async take(take: Take): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    if (take.how === "stolen" && this.#parts.isGracefulLeaseHandoffEnabled) this.#request(take);
    else await this.#takeNow(take);
  }

  /** Asks for the lease in the background, and takes it when it is given, or its owner does not hear. */
  #request({ lease }: Take): void {
    const request = this.#guard(this.#ask(lease)).finally(() => {
      this.#requests.settled(lease.shardId);
      this.#running.delete(request);
    });
    this.#running.add(request);
  }

  async #ask(lease: Lease): Promise<void> {
    const outcome = await this.#requests.ask(lease);
    if (!outcome || this.#tenures.has(lease.shardId)) return;
    const from = lease.owner;
    await this.#takeNow({ ...outcome, ...(from !== undefined && { from }) });
  }

  async #takeNow(take: Take): Promise<void> {
    const { shardId, counter } = take.lease;
    const { table, workerId, clock, trouble } = this.#parts;
    this.#counters.set(shardId, counter + WRITES_TO_TAKE);
    try {
      const taken = await takeLease(take.lease, workerId, table, clock, this.#killed.signal);
      trouble.recovered(TAKE);
      if (taken) this.#begin(take, taken);
    } catch (error) {
      trouble.failed(TAKE, error, 0);
      // Else nothing was written, and the next look at all leases will show what there is to be taken.
      if (error instanceof LeaseTableError && error.trouble === "unavailable") this.#settle(take);
    }
  }

  /**
   * In the background, what became of a take that has no answer: others go by the row, and would wait until it expires. Tried
   * for that long. When we are to stop, a lease that turns out to be ours is released at once.
   */
  #settle(take: Take): void {
    const { shardId } = take.lease;
    const { table, workerId, clock, failoverTimeMillis } = this.#parts;
    const attempt = (signal: AbortSignal) => {
      const highest = this.ownCounter(shardId);
      this.#counters.set(shardId, highest + 1);
      return takeUp(take.lease, workerId, highest, table, clock, signal);
    };
    this.#unsettled.add(shardId);
    const settled = within(failoverTimeMillis, clock, this.#killed.signal, async (signal) => {
      const again = () => attempt(signal);
      const taken = await persist(TAKE, again, this.#parts, signal, RELEASE_PAUSE_MS);
      if (taken) this.#begin(take, taken);
    });
    const settling = this.#guard(settled).finally(() => {
      this.#unsettled.delete(shardId);
      this.#running.delete(settling);
    });
    this.#running.add(settling);
  }

  #begin({ lease, how, from: before }: Take, taken: Taken): void {
    const { emit } = this.#parts;
    const from = before ?? actualOwner(lease);
    emit({ type: "leaseTaken", shardId: lease.shardId, how, ...(from !== undefined && { from }) });
    this.#requests.taken(lease.shardId);
    const tenure = new Tenure(taken.lease, taken.takenMs, this.#tenureParts());
    this.#tenures.set(lease.shardId, tenure);
    const consumer = this.#serve(tenure).finally(() => this.#running.delete(consumer));
    this.#running.add(consumer);
  }

  /** Asks every consumer to finish. */
  stop(): void {
    this.#stopping.abort();
    for (const tenure of this.#tenures.values()) tenure.requestStop();
  }

  /** Resolves when no consumer is left; nothing may be taken any more, but what is being taken has to be released. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Withdraws every lease from its consumer without waiting for it, and releases it if that can be done at once. */
  async abandon(): Promise<void> {
    this.#killed.abort();
    const { clock } = this.#parts;
    const limit = sharedController();
    const released = Promise.allSettled(
      [...this.#tenures.values()].map((tenure) => tenure.abandon(limit.signal)),
    );
    await Promise.race([released, clock.sleep(KILL_RELEASE_MS, limit.signal)]);
    limit.abort();
  }

  #check(tenure: Tenure): void {
    const check = this.#guard(tenure.read()).finally(() => this.#running.delete(check));
    this.#running.add(check);
  }

  /** From the taking of a lease to its release. Never rejects. */
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
    this.#parts.news();
  }

  async #release(tenure: Tenure): Promise<void> {
    const { signal } = this.#killed;
    const work = { service: "dynamodb", operation: "release", who: tenure.shardId } as const;
    const release = async () => {
      // Trust ran out while the table did not answer: the release was given up, and nothing works again.
      if (!(await tenure.release(signal))) tenure.lost.throwIfAborted();
    };
    const released = underAny([signal, tenure.lost], (over) =>
      persist(work, release, this.#parts, over, RELEASE_PAUSE_MS),
    );
    await this.#guard(released);
  }

  /** A consumer that returned without cause would return again at once: let others try first. */
  #rest(shardId: string): void {
    const { clock, failoverTimeMillis } = this.#parts;
    this.#restingUntilMs.set(shardId, clock.monotonicMs() + failoverTimeMillis);
  }

  async #guard(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#parts.failed(error);
    }
  }

  #tenureParts(): TenureParts {
    return {
      ...this.#parts,
      leasesAdded: this.#parts.news,
      shardEnded: (shardId) => {
        for (const tenure of this.#tenures.values()) {
          if (tenure.lease.parentShardIds.includes(shardId)) tenure.ring();
        }
      },
    };
  }
}
