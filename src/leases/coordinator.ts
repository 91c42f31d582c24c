// The life of one worker: it opens the table, looks at all leases again and again, takes what assignment.ts tells it
// to, and lets a consumer work on each lease that it holds. Everything decided is decided in pure files beside this
// one; here are the loops, and the rule that `run` returns when, and only when, all that it started has ended.
//
// Loops:  the taker scans the table, and so learns who owns what, which leases were lost, which parents ended;
//         each tenure renews its lease (tenure.ts); housekeeping audits and deletes (housekeeping.ts).
// Ends:   a stop is graceful: no lease is taken any more, consumers finish while their leases are renewed, and each
//         lease is released as its consumer returns, so that peers need not wait for it to expire. A failure of a
//         consumer, a table that went away or a second worker of our name stop the worker in the same way, and
//         `run` rejects with the reason.

import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { UserError } from "../model/errors.ts";
import type { Shard, ShardFilter } from "../model/shard.ts";
import { assign, type Take } from "./assignment.ts";
import { Bell } from "./bell.ts";
import {
  duplicateWorker,
  MOVES_TO_TOLERATE,
  NO_STRANGERS,
  type Strangers,
  watchStrangers,
} from "./duplicate.ts";
import type { Consume } from "./heldLease.ts";
import { Housekeeping } from "./housekeeping.ts";
import { actualOwner, hasEnded, type Lease } from "./lease.ts";
import { NOTHING_SEEN, type Observation, observe } from "./observation.ts";
import { rescanMs } from "./pace.ts";
import { persist } from "./persist.ts";
import type { LeaseSettings } from "./settings.ts";
import { inParallel, ShardSync } from "./shardSync.ts";
import { type LeaseTable, LeaseTableError, type Scan } from "./table.ts";
import { takeLease } from "./takeLease.ts";
import { Tenure, type TenureParts } from "./tenure.ts";
import { Trouble } from "./trouble.ts";

export interface CoordinatorParts {
  readonly table: LeaseTable;
  /** Rejects with a UserError for what time does not mend; anything else is tried again. */
  readonly listShards: (filter: ShardFilter) => Promise<readonly Shard[]>;
  /** Unique among all live workers of the application; a stable one resumes its leases after a restart. */
  readonly workerId: string;
  readonly settings: LeaseSettings;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly consume: Consume;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

const TAKE_CONCURRENCY = 16;
/** After an immediate stop: how long leases may take to be released. */
const KILL_RELEASE_MS = 1_000;
/** At the end of a tenure there is little time left: no long waits between attempts to release. */
const RELEASE_PAUSE_MS = 500;
/** DynamoDB's scans may be a moment behind its writes. */
const EMPTY_RESCAN_MS = 50;

export class Coordinator {
  readonly #parts: CoordinatorParts;
  readonly #trouble: Trouble;
  readonly #sync: ShardSync;
  readonly #stopping = new AbortController();
  readonly #news = new Bell();
  /** One consumer a shard: an entry goes when its consumer has returned, not when its lease is lost. */
  readonly #tenures = new Map<string, Tenure>();
  readonly #consumers = new Set<Promise<void>>();
  /** Shards that a consumer left without reason, and until when not to take them again. */
  readonly #restingUntilMs = new Map<string, number>();
  readonly #strangerMovesTolerated: number;
  /** Rows that cannot be read as leases. */
  #unreadable: ReadonlySet<string> = new Set();
  #observation: Observation = NOTHING_SEEN;
  #strangers: Strangers = NO_STRANGERS;
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
    this.#trouble = new Trouble(parts.emit);
    this.#sync = new ShardSync({ ...parts, trouble: this.#trouble });
    // Two workers of one name see each other at the same time. The less patient goes, and the other sees him gone.
    this.#strangerMovesTolerated = MOVES_TO_TOLERATE + Math.floor(parts.random() * 4);
  }

  /**
   * Works until `signal` asks for a graceful stop; `killSignal` cuts that short.
   *
   * @throws what a consumer rejected with; UserError for a table that is none, a stream that is none, a second
   *   worker of our name.
   */
  async run(
    signal: AbortSignal,
    killSignal: AbortSignal = new AbortController().signal,
  ): Promise<void> {
    const stop = () => this.#stop();
    for (const each of [signal, killSignal]) each.addEventListener("abort", stop, { once: true });
    if (signal.aborted || killSignal.aborted) stop();
    try {
      await this.#open();
      const housekeeping = this.#housekeeping().run(this.#stopping.signal);
      await Promise.all(
        [this.#takeLoop(killSignal), housekeeping].map((loop) => this.#guard(loop)),
      );
    } catch (error) {
      this.#fail(error);
    } finally {
      await this.#drain(killSignal);
      for (const each of [signal, killSignal]) each.removeEventListener("abort", stop);
    }
    if (this.#failure) throw this.#failure.error;
  }

  async #open(): Promise<void> {
    const { table, emit } = this.#parts;
    const { signal } = this.#stopping;
    const opened = await this.#persist("open lease table", async () => {
      try {
        return await table.ensure(signal);
      } catch (error) {
        if (error instanceof LeaseTableError && error.trouble === "denied") throw denied(error);
        throw error;
      }
    });
    if (opened === "created") emit({ type: "leaseTableCreated", tableName: table.tableName });
  }

  async #takeLoop(killSignal: AbortSignal): Promise<void> {
    const { clock, table, settings, random } = this.#parts;
    const { signal } = this.#stopping;
    for (let firstPass = true; !signal.aborted; ) {
      this.#news.clear();
      const scan = await this.#persist("Scan", () => table.scan(signal));
      if (!scan) return;
      this.#tellUnreadable(scan, firstPass);
      const { leases } = scan;
      if (leases.length === 0) {
        await this.#sync.fillEmptyTable(signal);
        await clock.sleep(EMPTY_RESCAN_MS, signal);
        continue;
      }
      await this.#pass(leases, firstPass, killSignal);
      firstPass = false;
      const restMs = rescanMs(leases.length, settings.failoverTimeMillis, random);
      await this.#news.sleep(clock, restMs, signal);
    }
  }

  async #pass(scanned: readonly Lease[], firstPass: boolean, kill: AbortSignal): Promise<void> {
    const { clock, workerId, settings, random } = this.#parts;
    const nowMs = clock.monotonicMs();
    const leases = scanned.map((lease) => this.#latest(lease));
    this.#observation = observe(this.#observation, leases, nowMs);
    this.#tellTenures(leases);
    this.#watchStrangers(leases);
    const { take } = assign(
      { leases: this.#observation, workerId, nowMs, firstPass, random, busy: this.#busy(nowMs) },
      settings,
    );
    await inParallel(take, TAKE_CONCURRENCY, (each) => this.#take(each, kill));
  }

  /**
   * At start a row that is no lease means that the table serves another purpose. Later somebody has damaged it: the
   * shard has no reader until it is mended, and the others go on.
   */
  #tellUnreadable({ unreadable }: Scan, firstPass: boolean): void {
    const [first] = unreadable;
    if (first && firstPass) throw notALeaseTable(first.error);
    for (const { shardId, error } of unreadable) {
      if (this.#unreadable.has(shardId)) continue;
      const trouble = { service: "dynamodb", operation: "read lease", attempt: 1 } as const;
      const { failoverTimeMillis: retryInMs } = this.#parts.settings;
      this.#parts.emit({ type: "serviceTrouble", ...trouble, shardId, error, retryInMs });
    }
    this.#unreadable = new Set(unreadable.map(({ shardId }) => shardId));
  }

  /** A scan may be older than our own writes. */
  #latest(scanned: Lease): Lease {
    const held = this.#tenures.get(scanned.shardId);
    return held?.trusted && held.lease.counter > scanned.counter ? held.lease : scanned;
  }

  /** What the table says to those who hold leases: one was taken from them, or their parents have ended. */
  #tellTenures(leases: readonly Lease[]): void {
    const byId = new Map(leases.map((lease) => [lease.shardId, lease]));
    for (const [shardId, tenure] of this.#tenures) {
      const row = byId.get(shardId);
      const owner = row && actualOwner(row);
      if (row && row.counter > tenure.lease.counter && owner && owner !== this.#parts.workerId) {
        tenure.lose(`worker "${owner}" took it`);
      }
      const parents = tenure.lease.parentShardIds.map((id) => byId.get(id));
      if (parents.every((parent) => !parent || hasEnded(parent))) tenure.ring();
    }
  }

  #watchStrangers(leases: readonly Lease[]): void {
    const { workerId, table } = this.#parts;
    const held = new Set(this.#tenures.keys());
    this.#strangers = watchStrangers(this.#strangers, leases, workerId, held);
    for (const [shardId, { moves }] of this.#strangers) {
      if (moves <= this.#strangerMovesTolerated) continue;
      this.#fail(duplicateWorker(workerId, table.tableName, shardId));
    }
  }

  #busy(nowMs: number): ReadonlySet<string> {
    for (const [shardId, untilMs] of this.#restingUntilMs) {
      if (untilMs <= nowMs) this.#restingUntilMs.delete(shardId);
    }
    return new Set([...this.#tenures.keys(), ...this.#restingUntilMs.keys()]);
  }

  async #take({ lease, how }: Take, kill: AbortSignal): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const { table, workerId, clock, emit } = this.#parts;
    const work = { service: "dynamodb", operation: "take", who: "" } as const;
    let taken: Awaited<ReturnType<typeof takeLease>>;
    try {
      taken = await takeLease(lease, workerId, table, clock, kill);
      this.#trouble.recovered(work);
    } catch (error) {
      // The next pass sees what became of it.
      this.#trouble.failed(work, error, 0);
      return;
    }
    if (!taken) return;
    const from = actualOwner(lease);
    emit({ type: "leaseTaken", shardId: lease.shardId, how, ...(from !== undefined && { from }) });
    const tenure = new Tenure(taken.lease, taken.takenMs, this.#tenureParts());
    this.#tenures.set(lease.shardId, tenure);
    const consumer = this.#serve(tenure, kill).finally(() => this.#consumers.delete(consumer));
    this.#consumers.add(consumer);
  }

  /** From the taking of a lease to its release. Never rejects. */
  async #serve(tenure: Tenure, kill: AbortSignal): Promise<void> {
    const over = new AbortController();
    const kept = this.#guard(tenure.keep(over.signal));
    if (this.#stopping.signal.aborted) tenure.requestStop();
    else await this.#guard(this.#parts.consume(tenure));
    over.abort();
    await kept;
    const leftEarly = tenure.trusted && !hasEnded(tenure.lease) && !this.#stopping.signal.aborted;
    const work = { service: "dynamodb", operation: "release", who: tenure.shardId } as const;
    const persistence = { ...this.#parts, trouble: this.#trouble };
    await this.#guard(
      persist(work, () => tenure.release(kill), persistence, kill, RELEASE_PAUSE_MS),
    );
    if (leftEarly) this.#rest(tenure.shardId);
    this.#tenures.delete(tenure.shardId);
    this.#news.ring();
  }

  /** A consumer that returns without cause would return again at once: let others try first. */
  #rest(shardId: string): void {
    const { clock, settings } = this.#parts;
    this.#restingUntilMs.set(shardId, clock.monotonicMs() + settings.failoverTimeMillis);
  }

  async #drain(killSignal: AbortSignal): Promise<void> {
    const consumers = Promise.all(this.#consumers);
    await Promise.race([consumers, aborted(killSignal)]);
    if (!killSignal.aborted) return;
    const limit = new AbortController();
    const { clock } = this.#parts;
    const released = Promise.allSettled(
      [...this.#tenures.values()].map((tenure) => tenure.abandon(limit.signal)),
    );
    await Promise.race([released, clock.sleep(KILL_RELEASE_MS, limit.signal)]);
    limit.abort();
  }

  #stop(): void {
    this.#stopping.abort();
    for (const tenure of this.#tenures.values()) tenure.requestStop();
  }

  /** The first failure is the one that `run` rejects with. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#stop();
  }

  async #guard(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#fail(error);
    }
  }

  #persist<T>(operation: string, attempt: () => Promise<T>): Promise<T | undefined> {
    const work = { service: "dynamodb", operation, who: "" } as const;
    const persistence = { ...this.#parts, trouble: this.#trouble };
    return persist(work, attempt, persistence, this.#stopping.signal);
  }

  #housekeeping(): Housekeeping {
    return new Housekeeping({
      ...this.#parts,
      trouble: this.#trouble,
      sync: this.#sync,
      leases: () => [...this.#observation.values()].map(({ lease }) => lease),
      unreadable: () => this.#unreadable,
    });
  }

  #tenureParts(): TenureParts {
    const { settings, table, workerId } = this.#parts;
    return {
      ...this.#parts,
      trouble: this.#trouble,
      failoverTimeMillis: settings.failoverTimeMillis,
      leasesAdded: () => this.#news.ring(),
      shardEnded: (shardId) => this.#parentEnded(shardId),
      duplicateFound: (shardId) => this.#fail(duplicateWorker(workerId, table.tableName, shardId)),
    };
  }

  #parentEnded(shardId: string): void {
    for (const tenure of this.#tenures.values()) {
      if (tenure.lease.parentShardIds.includes(shardId)) tenure.ring();
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function notALeaseTable(error: LeaseTableError): UserError {
  return new UserError(
    `${error.message}: this is not the row of a lease. If the table serves another purpose, choose another applicationName (or tableName); if the row was damaged, mend or delete it.`,
    { cause: error },
  );
}

function denied(error: LeaseTableError): UserError {
  return new UserError(
    `${error.message}. Give this process credentials that may use the lease table (DescribeTable, CreateTable, Scan, GetItem, PutItem, UpdateItem, DeleteItem).`,
    { cause: error },
  );
}
