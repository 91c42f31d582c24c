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
import { accept, assign } from "./assignment.ts";
import { Bell } from "./bell.ts";
import {
  duplicateWorker,
  MOVES_TO_TOLERATE,
  NO_STRANGERS,
  type Strangers,
  watchStrangers,
} from "./duplicate.ts";
import type { Consume } from "./heldLease.ts";
import { Holdings } from "./holdings.ts";
import { Housekeeping } from "./housekeeping.ts";
import type { FleetTables } from "./kcl3/fleetTables.ts";
import { Membership } from "./kcl3/membership.ts";
import { actualOwner, type Lease } from "./lease.ts";
import { NOTHING_SEEN, type Observation, observe } from "./observation.ts";
import { type FleetSize, rescanMs, startingRestMs } from "./pace.ts";
import { type Persistence, persist } from "./persist.ts";
import type { LeaseSettings } from "./settings.ts";
import { inParallel, ShardSync } from "./shardSync.ts";
import { anyAborted, sharedController } from "./signals.ts";
import { checkAtStart } from "./streamCheck.ts";
import { type LeaseTable, LeaseTableError, type Scan } from "./table.ts";
import { Trouble } from "./trouble.ts";

export interface CoordinatorParts {
  readonly table: LeaseTable;
  /** Where a fleet of KCL 3.x keeps what is not a lease; absent: there is none. */
  readonly fleet?: FleetTables;
  /** Rejects with a UserError for what time does not mend; anything else is tried again. */
  readonly listShards: (filter: ShardFilter, signal: AbortSignal) => Promise<readonly Shard[]>;
  /** Unique among all live workers of the application; a stable one resumes its leases after a restart. */
  readonly workerId: string;
  readonly settings: LeaseSettings;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly consume: Consume;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

const UNLED = { version: "2x", led: false } as const;
const TAKE_CONCURRENCY = 16;
/** Free leases taken before the first look at who else takes some; twice as many after each look. */
const AT_ONCE = 8;
/** DynamoDB's scans may be a moment behind its writes. */
const EMPTY_RESCAN_MS = 50;

export class Coordinator {
  readonly #parts: CoordinatorParts;
  readonly #persistence: Persistence;
  readonly #sync: ShardSync;
  readonly #holdings: Holdings;
  readonly #housekeeping: Housekeeping;
  readonly #membership: Membership | undefined;
  readonly #stopping = sharedController();
  readonly #news = new Bell();
  readonly #strangerMovesTolerated: number;
  #observation: Observation = NOTHING_SEEN;
  #strangers: Strangers = NO_STRANGERS;
  /** Rows that cannot be read as leases. */
  #unreadable: ReadonlySet<string> = new Set();
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
    this.#membership =
      parts.fleet &&
      new Membership({
        ...equipped,
        tables: parts.fleet,
        workerMetricsReporterFreqInMillis: settings.workerMetricsReporterFreqInMillis,
        news: () => this.#news.ring(),
      });
    this.#holdings = new Holdings({
      ...equipped,
      failoverTimeMillis: settings.failoverTimeMillis,
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
      await Promise.race([this.#holdings.ended(), anyAborted(killSignal)]);
      if (killSignal.aborted) await this.#holdings.abandon();
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

  async #takeLoop(): Promise<void> {
    const { clock, table, settings, random } = this.#parts;
    const { signal } = this.#stopping;
    let checked = false;
    for (let firstPass = true; !signal.aborted; ) {
      this.#news.clear();
      const scan = await this.#persist("Scan", () => table.scan(signal));
      if (!scan) return;
      this.#tellUnreadable(scan, firstPass);
      this.#membership?.see(scan.fleet);
      if (scan.leases.length === 0) {
        this.#holdings.tell([]);
        if (this.#mayFill()) await this.#sync.fillEmptyTable(signal);
        checked = true;
        await clock.sleep(EMPTY_RESCAN_MS, signal);
        continue;
      }
      this.#lastFilledMs = clock.monotonicMs();
      const check = () => checkAtStart(scan.leases, this.#parts, signal);
      if (!checked) await this.#persist("Scan", check);
      checked = true;
      if (signal.aborted) return;
      if (firstPass) this.#housekeeping.begin(scan);
      const more = await this.#pass(scan.leases, firstPass);
      firstPass = false;
      const soon = (await this.#sync.stillLacking(scan.leases, signal)) || more;
      const pace = soon ? startingRestMs : rescanMs;
      const restMs = pace(sizeOf(scan.leases), settings.failoverTimeMillis, random);
      await this.#news.sleep(clock, restMs, signal);
    }
  }

  /** Rows that were deleted under their holders are put back by them; what is not there after a lease's time is made anew. */
  #mayFill(): boolean {
    const { clock, settings } = this.#parts;
    return clock.monotonicMs() - this.#lastFilledMs > settings.failoverTimeMillis;
  }

  /** @returns whether more was to be taken. */
  async #pass(scanned: readonly Lease[], firstPass: boolean): Promise<boolean> {
    const { clock, workerId, settings, random } = this.#parts;
    const nowMs = clock.monotonicMs();
    const leases = scanned.map((lease) => this.#holdings.latest(lease));
    this.#observation = observe(this.#observation, leases, nowMs);
    this.#holdings.tell(leases);
    this.#lookForDuplicate(leases);
    const busy = this.#holdings.busy(nowMs);
    const view = {
      leases: this.#observation,
      workerId,
      nowMs,
      firstPass,
      random,
      busy,
      requested: this.#holdings.requested,
      expected: this.#holdings.expected(nowMs),
      atOnce: this.#atOnce,
    };
    const { version, led } = this.#membership?.mode ?? UNLED;
    const { take, more } =
      version === "3x" && led
        ? { take: accept(view, settings), more: false }
        : assign(view, settings);
    this.#atOnce = more ? this.#atOnce * 2 : AT_ONCE;
    await inParallel(take, TAKE_CONCURRENCY, (each) => this.#holdings.take(each));
    return more;
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

  #stop(): void {
    this.#stopping.abort();
    this.#holdings.stop();
  }

  /** The first failure is the one that `run` rejects with. */
  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#stop();
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

function sizeOf(leases: readonly Lease[]): FleetSize {
  const owners = new Set(leases.flatMap((lease) => actualOwner(lease) ?? []));
  return { leases: leases.length, workers: owners.size };
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
