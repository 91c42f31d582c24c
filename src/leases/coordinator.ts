// The life of one worker: it opens the table, looks at all leases again and again, takes what assignment.ts tells it
// to, and lets a consumer work on each lease that it holds. Everything decided is decided in pure files beside this
// one; here are the loops, and the rule that `run` returns when, and only when, all that it started has ended.
//
// Loops:  the taker scans the table, and so learns who owns what, which leases were lost, which parents ended
//         (in a fleet that is led it looks by an index between its scans, kcl3/discovery.ts);
//         each tenure renews its lease (tenure.ts); housekeeping audits and deletes (housekeeping.ts).
// Ends:   a stop is graceful: no lease is taken any more, consumers finish while their leases are renewed, and each
//         lease is released as its consumer returns, so that peers need not wait for it to expire. A failure of a
//         consumer, a table that went away or a second worker of our name stop the worker in the same way, and
//         `run` rejects with the reason.

import { unlessAborted } from "../anySignal.ts";
import { Bell } from "../bell.ts";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import { inParallel } from "../inParallel.ts";
import type { Shard, ShardFilter } from "../model/shard.ts";
import { sharedController } from "../signals.ts";
import { type AssignmentView, accept, assign, type Take } from "./decisions/assignment.ts";
import { changedSince, NOTHING_SEEN, type Observation, observe } from "./decisions/leaseAges.ts";
import { LeaseLimit } from "./decisions/leaseLimit.ts";
import { rescanMs, sizeOf, spacingMs, startingRestMs } from "./decisions/scanPace.ts";
import type { Consume } from "./heldLease.ts";
import {
  duplicateWorker,
  MOVES_TO_TOLERATE,
  NO_STRANGERS,
  type Strangers,
  watchStrangers,
} from "./holding/duplicate.ts";
import { Holdings } from "./holding/holdings.ts";
import { Housekeeping } from "./housekeeping.ts";
import { Discovery } from "./kcl3/discovery.ts";
import type { FleetTables } from "./kcl3/fleetTables.ts";
import { Membership } from "./kcl3/membership.ts";
import type { Lease } from "./lease.ts";
import { denied, type Persistence, persist } from "./persist.ts";
import { SetAside } from "./setAside.ts";
import type { LeaseSettings } from "./settings.ts";
import { ShardSync } from "./shardSync.ts";
import { checkAtStart } from "./streamCheck.ts";
import { type LeaseTable, LeaseTableError } from "./table.ts";
import { Trouble } from "./trouble.ts";
import { UnreadableRows } from "./unreadable.ts";

export interface CoordinatorParts {
  readonly table: LeaseTable;
  /** Where a fleet of KCL 3.x keeps what is not a lease; absent: there is none. */
  readonly fleet?: FleetTables;
  /** Rejects with a UserError for what time does not mend; anything else is tried again. */
  readonly listShards: (filter: ShardFilter, signal: AbortSignal) => Promise<readonly Shard[]>;
  /** Unique among all live workers of the application; a stable one resumes its leases after a restart. */
  readonly workerId: string;
  /** Awaited before a missing table is made: a mistyped streamName must not leave one behind. */
  readonly streamIsThere?: (signal: AbortSignal) => Promise<unknown>;
  readonly settings: LeaseSettings;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly consume: Consume;
  /** Called at once with the failure that `run` will reject with, once all that is under way has ended. */
  readonly failed?: (error: unknown) => void;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

const UNLED = { version: "2x", led: false } as const;
const TAKE_CONCURRENCY = 16;
/** Free leases taken before the first look at who else takes some; twice as many after each look. */
const AT_ONCE = 8;
/** DynamoDB's scans may be a moment behind its writes. */
const EMPTY_RESCAN_MS = 50;
/** After an immediate stop: how long consumers may take to see that their children are dead. */
const LAST_CHILD_MS = 5_000;

export class Coordinator {
  readonly #parts: CoordinatorParts;
  readonly #persistence: Persistence;
  readonly #sync: ShardSync;
  readonly #holdings: Holdings;
  readonly #housekeeping: Housekeeping;
  readonly #membership: Membership | undefined;
  readonly #discovery: Discovery | undefined;
  readonly #stopping = sharedController();
  readonly #news = new Bell();
  readonly #strangerMovesTolerated: number;
  #observation: Observation = NOTHING_SEEN;
  #strangers: Strangers = NO_STRANGERS;
  readonly #unreadable: UnreadableRows;
  readonly #setAside = new SetAside();
  readonly #limit: LeaseLimit;
  #atOnce = AT_ONCE;
  /** Monotonic time at which the table was last seen with leases in it. */
  #lastFilledMs = Number.NEGATIVE_INFINITY;
  #failure: { readonly error: unknown } | undefined;

  constructor(parts: CoordinatorParts) {
    const { settings, random } = parts;
    const equipped = { ...parts, trouble: new Trouble(parts.emit) };
    this.#parts = parts;
    this.#persistence = equipped;
    this.#sync = new ShardSync(equipped);
    this.#limit = new LeaseLimit(settings.maxLeasesForWorker, parts.emit);
    this.#unreadable = new UnreadableRows(parts.emit, settings.failoverTimeMillis);
    this.#membership =
      parts.fleet &&
      new Membership({
        ...equipped,
        tables: parts.fleet,
        workerMetricsReporterFreqInMillis: settings.workerMetricsReporterFreqInMillis,
        news: () => this.#news.ring(),
      });
    const { failoverTimeMillis } = settings;
    this.#discovery =
      parts.fleet && new Discovery({ ...equipped, tables: parts.fleet, failoverTimeMillis });
    this.#holdings = new Holdings({
      ...equipped,
      failoverTimeMillis,
      gracefulLeaseHandoffTimeoutMillis: settings.gracefulLeaseHandoffTimeoutMillis,
      isGracefulLeaseHandoffEnabled: settings.isGracefulLeaseHandoffEnabled,
      tellsThroughput: () => this.#membership?.mode.version === "3x",
      news: () => this.#news.ring(),
      failed: (error) => this.#fail(error),
      duplicateFound: (shardId) => this.#failAsDuplicate(shardId),
    });
    this.#housekeeping = new Housekeeping({
      ...equipped,
      sync: this.#sync,
      leases: () => [...this.#observation.values()].map(({ lease }) => lease),
      renewed: () => {
        const sinceMs = parts.clock.monotonicMs() - failoverTimeMillis;
        return changedSince(sinceMs, this.#observation);
      },
      setAside: this.#setAside,
    });
    // Two workers of one name see each other at the same time. The less patient goes, and the other sees him gone.
    this.#strangerMovesTolerated = MOVES_TO_TOLERATE + Math.floor(random() * 4);
  }

  /**
   * Works until `signal` asks for a graceful stop; `killSignal` cuts that short. To be called once.
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
      const { signal: stopping } = this.#stopping;
      await Promise.all([this.#open(), this.#membership?.look(stopping)]);
      const loops = [
        this.#takeLoop(),
        this.#housekeeping.run(stopping),
        this.#membership?.run(stopping) ?? Promise.resolve(),
      ];
      await Promise.all(loops.map((loop) => loop.catch((error: unknown) => this.#fail(error))));
    } catch (error) {
      this.#fail(error);
    } finally {
      await unlessAborted(this.#holdings.ended(), killSignal);
      if (killSignal.aborted) await this.#abandon();
      for (const each of [signal, killSignal]) each.removeEventListener("abort", stop);
    }
    if (this.#failure) throw this.#failure.error;
  }

  async #open(): Promise<void> {
    const { table, emit, streamIsThere } = this.#parts;
    const { signal } = this.#stopping;
    const opened = await this.#persist("open lease table", async () => {
      try {
        return await table.ensure(signal, streamIsThere);
      } catch (error) {
        if (error instanceof LeaseTableError && error.trouble === "denied") throw denied(error);
        throw error;
      }
    });
    if (opened === "created") emit({ type: "leaseTableCreated", tableName: table.tableName });
  }

  async #takeLoop(): Promise<void> {
    const { clock, table } = this.#parts;
    const { signal } = this.#stopping;
    let checked = false;
    let soon = true;
    for (let firstPass = true; !signal.aborted; ) {
      this.#news.clear();
      if (!firstPass && !soon && (await this.#lookByIndex())) continue;
      const scan = await this.#persist("Scan", () => table.scan(signal));
      if (!scan) return;
      this.#unreadable.report(scan, firstPass);
      this.#membership?.see(scan.fleet);
      if (scan.leases.length === 0) {
        this.#holdings.tell([]);
        const wasFilled = this.#lastFilledMs > Number.NEGATIVE_INFINITY;
        if (this.#mayFill()) await this.#sync.fillEmptyTable(signal, wasFilled);
        checked = true;
        await clock.sleep(EMPTY_RESCAN_MS, signal);
        continue;
      }
      this.#lastFilledMs = clock.monotonicMs();
      const check = () => checkAtStart(scan.leases, this.#parts, this.#setAside, signal);
      const listed = checked ? undefined : await this.#persist("Scan", check);
      checked = true;
      const hasMore = await this.#sync.createOverdue(scan, listed, signal);
      if (signal.aborted) return;
      if (firstPass) this.#housekeeping.begin(scan);
      const more = (await this.#pass(scan.leases, firstPass)) || hasMore;
      firstPass = false;
      soon = (await this.#sync.stillLacking(scan.leases, signal)) || more;
      await this.#rest(scan.leases, soon);
    }
  }

  /** In a fleet that is led. @returns false when all leases are to be looked at; else it has rested. */
  async #lookByIndex(): Promise<boolean> {
    const { signal } = this.#stopping;
    if (!this.#isLed || !this.#discovery) return false;
    const { clock, settings } = this.#parts;
    const found = await this.#discovery.look(this.#holdings.busy(clock.monotonicMs()), signal);
    this.#membership?.see();
    if (!found || !this.#isLed) return false;
    this.#holdings.tellKeys(found.keys);
    const seen = observe(NOTHING_SEEN, found.leases, clock.monotonicMs());
    await this.#take(accept(this.#view(seen, false), settings));
    await this.#news.sleep(clock, this.#discovery.restMs(), signal);
    return true;
  }

  get #isLed(): boolean {
    const { version, led } = this.#membership?.mode ?? UNLED;
    return version === "3x" && led;
  }

  /** The sleep after a scan. News cuts it short, though not below what the size of the fleet asks for. */
  async #rest(leases: readonly Lease[], soon: boolean): Promise<void> {
    const { clock, random, settings } = this.#parts;
    const { signal } = this.#stopping;
    const { failoverTimeMillis } = settings;
    const size = sizeOf(leases);
    this.#discovery?.scanned(this.#observation, size);
    const indexMs = !soon && this.#isLed ? this.#discovery?.restMs() : undefined;
    const restMs = indexMs ?? (soon ? startingRestMs : rescanMs)(size, failoverTimeMillis, random);
    const leastMs = Math.min(restMs, spacingMs(size, failoverTimeMillis));
    await clock.sleep(leastMs, signal);
    await this.#news.sleep(clock, restMs - leastMs, signal);
  }

  /** Rows that were deleted under their holders are put back by them; what is not there after a lease's time is made anew. */
  #mayFill(): boolean {
    const { clock, settings } = this.#parts;
    return clock.monotonicMs() - this.#lastFilledMs > settings.failoverTimeMillis;
  }

  /** @returns whether more was to be taken. */
  async #pass(scanned: readonly Lease[], firstPass: boolean): Promise<boolean> {
    const { clock, settings } = this.#parts;
    const leases = scanned.map((lease) => this.#holdings.latest(lease));
    this.#observation = observe(this.#observation, leases, clock.monotonicMs());
    this.#holdings.tell(leases);
    this.#lookForDuplicate(leases);
    const view = this.#view(this.#observation, firstPass);
    const { take, more, beyondLimit } = this.#isLed
      ? { take: accept(view, settings), more: false, beyondLimit: [] }
      : assign(view, settings);
    this.#limit.saw(beyondLimit, view.nowMs);
    this.#atOnce = more ? this.#atOnce * 2 : AT_ONCE;
    await this.#take(take);
    return more;
  }

  #view(leases: Observation, firstPass: boolean): AssignmentView {
    const { clock, workerId, random } = this.#parts;
    const nowMs = clock.monotonicMs();
    return {
      leases,
      workerId,
      nowMs,
      firstPass,
      random,
      busy: new Set([...this.#holdings.busy(nowMs), ...this.#setAside.among(leases)]),
      requested: this.#holdings.requested,
      expected: this.#holdings.expected(nowMs),
      atOnce: this.#atOnce,
    };
  }

  #take(takes: readonly Take[]): Promise<void> {
    return inParallel(takes, TAKE_CONCURRENCY, (each) => this.#holdings.take(each));
  }

  #lookForDuplicate(leases: readonly Lease[]): void {
    const { workerId } = this.#parts;
    const held = this.#holdings.shardIds;
    const ours = (shardId: string) => this.#holdings.ownCounter(shardId);
    this.#strangers = watchStrangers(this.#strangers, leases, workerId, held, ours);
    for (const [shardId, { moves }] of this.#strangers) {
      if (moves > this.#strangerMovesTolerated) this.#failAsDuplicate(shardId);
    }
  }

  #stop(): void {
    this.#stopping.abort();
    this.#holdings.stop();
  }

  async #abandon(): Promise<void> {
    await this.#holdings.abandon();
    const over = new AbortController();
    const limit = this.#parts.clock.sleep(LAST_CHILD_MS, over.signal);
    await Promise.race([this.#holdings.ended(), limit]);
    over.abort();
  }

  /** The first failure is the one that `run` rejects with. */
  #fail(error: unknown): void {
    const isFirst = this.#failure === undefined;
    this.#failure ??= { error };
    this.#stop();
    if (isFirst) this.#parts.failed?.(error);
  }

  #failAsDuplicate(shardId: string): void {
    const { workerId, table } = this.#parts;
    this.#fail(duplicateWorker(workerId, table.tableName, shardId));
  }

  #persist<T>(operation: string, attempt: () => Promise<T>): Promise<T | undefined> {
    const work = { service: "dynamodb", operation, who: "" } as const;
    return persist(work, attempt, this.#persistence, this.#stopping.signal);
  }
}
