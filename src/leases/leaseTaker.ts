// The loop that looks at the leases and takes some of them. A look is a scan of the whole table,
// which shows who owns what, which leases were lost and which parents ended; or, in a fleet with a
// KCL 3.x leader, a query of an index between two scans (kcl3/discovery.ts). After each look the
// pure functions of decisions/ decide what to take (assignment.ts, acceptance.ts) and how long to
// wait (scanPace.ts).

import { inParallel } from "../inParallel.ts";
import type { Shard } from "../model/shard.ts";
import type { WakeUp } from "../wakeUp.ts";
import { checkAtStart, type ListShards } from "./compareWithStream.ts";
import { accept } from "./decisions/acceptance.ts";
import { type AssignmentView, assign, type Take } from "./decisions/assignment.ts";
import { balanceOf } from "./decisions/balance.ts";
import { LeaseLimit } from "./decisions/leaseLimit.ts";
import { NOTHING_SEEN, type Observation, observe } from "./decisions/observation.ts";
import { rescanMs, sizeOf, spacingMs, startingRestMs } from "./decisions/scanPace.ts";
import {
  NO_UNHELD_LEASES,
  TOLERATED_RENEWALS,
  type UnheldLeases,
  watchUnheldLeases,
} from "./holding/duplicateWorker.ts";
import type { Holdings } from "./holding/holdings.ts";
import type { Housekeeping } from "./housekeeping.ts";
import type { IsolatedLeases } from "./isolatedLeases.ts";
import type { Discovery } from "./kcl3/discovery.ts";
import type { Membership } from "./kcl3/membership.ts";
import type { Lease } from "./lease.ts";
import { retryUntil } from "./retryUntil.ts";
import type { ShardSync } from "./shardSync.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Scan } from "./table.ts";
import { UnreadableRows } from "./unreadableRows.ts";

export interface LeaseTakerParts {
  readonly listShards: ListShards;
  readonly sync: ShardSync;
  readonly holdings: Holdings;
  readonly housekeeping: Housekeeping;
  readonly isolated: IsolatedLeases;
  readonly membership: Membership | undefined;
  readonly discovery: Discovery | undefined;
  /** Triggered when another look is worthwhile before the wait is over. */
  readonly lookSoon: WakeUp;
  /** Another live process renews this lease under our worker id. */
  readonly duplicateFound: (shardId: string) => void;
}

const TAKE_CONCURRENCY = 16;
/** How many free leases to take before the first look at what others take; doubles at each look. */
const FIRST_TAKES = 8;
/** DynamoDB's scans are eventually consistent: a new lease may appear a moment later. */
const EMPTY_RESCAN_MS = 50;
const DECIDED_BY_LEADER = { target: undefined, spillover: 0 };
const SCAN = { service: "dynamodb", operation: "Scan" } as const;

export class LeaseTaker {
  readonly #surroundings: Surroundings;
  readonly #parts: LeaseTakerParts;
  readonly #unreadable: UnreadableRows;
  readonly #limit: LeaseLimit;
  readonly #renewalsTolerated: number;
  #observation: Observation = NOTHING_SEEN;
  #unheld: UnheldLeases = NO_UNHELD_LEASES;
  #takesAtOnce = FIRST_TAKES;
  /** Monotonic time of the last scan that showed leases. */
  #lastFilledMs = Number.NEGATIVE_INFINITY;
  #hasComparedWithStream = false;

  constructor(surroundings: Surroundings, parts: LeaseTakerParts) {
    const { settings, emit, random } = surroundings;
    this.#surroundings = surroundings;
    this.#parts = parts;
    this.#unreadable = new UnreadableRows(emit, settings.failoverTimeMillis);
    this.#limit = new LeaseLimit(settings.maxLeasesForWorker, emit);
    // Two workers with the same id detect each other at the same time. Different limits let one of
    // them stop first; the other then sees no more renewals and continues.
    this.#renewalsTolerated = TOLERATED_RENEWALS + Math.floor(random() * 4);
  }

  /** What this worker knows from its scans. */
  get observation(): Observation {
    return this.#observation;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, table } = this.#surroundings;
    const { lookSoon, sync, housekeeping, membership } = this.#parts;
    let isStarting = true;
    for (let firstPass = true; !signal.aborted; ) {
      lookSoon.clear();
      if (!firstPass && !isStarting && (await this.#lookByIndex(signal))) continue;
      const scan = await retryUntil(SCAN, () => table.scan(signal), this.#surroundings, signal);
      if (!scan) return;
      this.#unreadable.report(scan, firstPass);
      membership?.update(scan.fleet);
      if (scan.leases.length === 0) {
        await this.#fillEmptyTable(signal);
        continue;
      }
      this.#lastFilledMs = clock.monotonicMs();
      const listed = await this.#compareOnce(scan, signal);
      const hasNewLeases = await sync.createOverdue(scan, listed, signal);
      if (signal.aborted) return;
      if (firstPass) housekeeping.begin(scan);
      const isMoreFree = await this.#takeAfterScan(scan.leases, firstPass);
      firstPass = false;
      const isIncomplete = await sync.lacksFirstLeases(scan.leases, signal);
      isStarting = isIncomplete || isMoreFree || hasNewLeases;
      await this.#rest(scan.leases, isStarting, signal);
    }
  }

  async #fillEmptyTable(signal: AbortSignal): Promise<void> {
    const { clock, settings } = this.#surroundings;
    const { holdings, sync } = this.#parts;
    holdings.reconcile([]);
    const wasFilled = this.#lastFilledMs > Number.NEGATIVE_INFINITY;
    // When rows are deleted, the holders of the leases create them again. A row that is still
    // missing after the failover time has no live holder.
    const emptyMs = clock.monotonicMs() - this.#lastFilledMs;
    if (emptyMs > settings.failoverTimeMillis) await sync.fillEmptyTable(signal, wasFilled);
    this.#hasComparedWithStream = true;
    await clock.sleep(EMPTY_RESCAN_MS, signal);
  }

  /** The listing of the first comparison; later scans are compared by housekeeping. */
  async #compareOnce(scan: Scan, signal: AbortSignal): Promise<readonly Shard[] | undefined> {
    if (this.#hasComparedWithStream) return undefined;
    const { listShards, isolated } = this.#parts;
    const check = () => checkAtStart(scan.leases, listShards, this.#surroundings, isolated, signal);
    const listed = await retryUntil(SCAN, check, this.#surroundings, signal);
    this.#hasComparedWithStream = true;
    return listed;
  }

  /**
   * One look by the index of owners, in a fleet with a leader, and the wait after it.
   *
   * @returns false when a scan must be made instead.
   */
  async #lookByIndex(signal: AbortSignal): Promise<boolean> {
    const { clock, settings } = this.#surroundings;
    const { discovery, membership, holdings, lookSoon } = this.#parts;
    if (!this.#isLed || !discovery) return false;
    const found = await discovery.look(holdings.busy(clock.monotonicMs()), signal);
    membership?.update();
    if (!found || !this.#isLed) return false;
    holdings.reconcileKeys(found.keys);
    const seen = observe(NOTHING_SEEN, found.leases, clock.monotonicMs());
    await this.#take(accept(this.#view(seen, false), settings));
    await lookSoon.sleep(clock, discovery.restMs(), signal);
    return true;
  }

  get #isLed(): boolean {
    const mode = this.#parts.membership?.mode;
    return mode !== undefined && mode.version === "3x" && mode.led;
  }

  /** @returns whether free leases were left for the next look. */
  async #takeAfterScan(scanned: readonly Lease[], firstPass: boolean): Promise<boolean> {
    const { clock, settings, emit } = this.#surroundings;
    const { holdings } = this.#parts;
    const leases = scanned.map((lease) => holdings.latest(lease));
    this.#observation = observe(this.#observation, leases, clock.monotonicMs());
    holdings.reconcile(leases);
    this.#detectDuplicate(leases);
    const view = this.#view(this.#observation, firstPass);
    const { take, more, beyondLimit, target, spillover } = this.#isLed
      ? { take: accept(view, settings), more: false, beyondLimit: [], ...DECIDED_BY_LEADER }
      : assign(view, settings);
    this.#limit.saw(beyondLimit, view.nowMs);
    this.#takesAtOnce = more ? this.#takesAtOnce * 2 : FIRST_TAKES;
    await this.#take(take);
    emit({ type: "leasesSeen", leases: leases.length, rows: () => leases });
    emit({
      type: "leaseBalance",
      held: holdings.shardIds.size,
      target,
      spillover,
      ...balanceOf(view, settings.failoverTimeMillis),
      taking: take.length,
    });
    if (firstPass) emit({ type: "daemonReady" });
    return more;
  }

  /**
   * The wait after a scan. A wake-up ends it early, but not before the least wait between scans.
   */
  async #rest(leases: readonly Lease[], isStarting: boolean, signal: AbortSignal): Promise<void> {
    const { clock, random, settings } = this.#surroundings;
    const { discovery, lookSoon } = this.#parts;
    const { failoverTimeMillis } = settings;
    const size = sizeOf(leases);
    discovery?.scanned(this.#observation, size);
    const indexMs = !isStarting && this.#isLed ? discovery?.restMs() : undefined;
    const pace = isStarting ? startingRestMs : rescanMs;
    const restMs = indexMs ?? pace(size, failoverTimeMillis, random);
    const leastMs = Math.min(restMs, spacingMs(size, failoverTimeMillis));
    await clock.sleep(leastMs, signal);
    await lookSoon.sleep(clock, restMs - leastMs, signal);
  }

  #view(leases: Observation, firstPass: boolean): AssignmentView {
    const { clock, workerId, random } = this.#surroundings;
    const { holdings, isolated } = this.#parts;
    const nowMs = clock.monotonicMs();
    return {
      leases,
      workerId,
      nowMs,
      firstPass,
      random,
      busy: new Set([...holdings.busy(nowMs), ...isolated.among(leases)]),
      requested: holdings.requested,
      expected: holdings.expected(nowMs),
      atOnce: this.#takesAtOnce,
    };
  }

  #take(takes: readonly Take[]): Promise<void> {
    return inParallel(takes, TAKE_CONCURRENCY, (each) => this.#parts.holdings.take(each));
  }

  #detectDuplicate(leases: readonly Lease[]): void {
    const { holdings, duplicateFound } = this.#parts;
    const { workerId } = this.#surroundings;
    const ours = (shardId: string) => holdings.ownCounter(shardId);
    this.#unheld = watchUnheldLeases(this.#unheld, leases, workerId, holdings.shardIds, ours);
    for (const [shardId, { renewals }] of this.#unheld) {
      if (renewals > this.#renewalsTolerated) duplicateFound(shardId);
    }
  }
}
