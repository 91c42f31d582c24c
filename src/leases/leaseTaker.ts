// The loop that looks at the leases and takes some of them. A look is a scan of the whole table,
// which shows who owns what, which leases were lost and which parents ended; or, in a fleet with a
// KCL 3.x leader, a query of an index between two scans (kcl3/discovery.ts). After each look the
// pure functions of decisions/ decide what to take (assignment.ts, acceptance.ts) and how long to
// wait (scanPace.ts).

import { inParallel } from "../inParallel.ts";
import type { WakeUp } from "../wakeUp.ts";
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
import type { Discovery } from "./kcl3/discovery.ts";
import type { Membership } from "./kcl3/membership.ts";
import type { Lease } from "./lease.ts";
import { OtherStreams } from "./otherStreams.ts";
import { retryUntil } from "./retryUntil.ts";
import type { StreamLeases } from "./streamLeases.ts";
import type { Surroundings } from "./surroundings.ts";
import { UnreadableRows } from "./unreadableRows.ts";

export interface LeaseTakerParts {
  /** The streams of the application. */
  readonly streams: readonly StreamLeases[];
  readonly holdings: Holdings;
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
  readonly #otherStreams: OtherStreams;
  readonly #limit: LeaseLimit;
  readonly #renewalsTolerated: number;
  #observation: Observation = NOTHING_SEEN;
  #unheld: UnheldLeases = NO_UNHELD_LEASES;
  #takesAtOnce = FIRST_TAKES;

  constructor(surroundings: Surroundings, parts: LeaseTakerParts) {
    const { settings, emit, random } = surroundings;
    this.#surroundings = surroundings;
    this.#parts = parts;
    this.#unreadable = new UnreadableRows(emit, settings.failoverTimeMillis);
    this.#otherStreams = new OtherStreams(emit);
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
    const { table } = this.#surroundings;
    const { lookSoon, streams, membership } = this.#parts;
    let isStarting = true;
    for (let firstPass = true; !signal.aborted; ) {
      lookSoon.clear();
      if (!firstPass && !isStarting && (await this.#lookByIndex(signal))) continue;
      const scan = await retryUntil(SCAN, () => table.scan(signal), this.#surroundings, signal);
      if (!scan) return;
      this.#unreadable.report(scan, firstPass);
      membership?.update(scan.fleet);
      const leases = scan.leases.filter(this.#isOwn);
      this.#otherStreams.report(scan.leases.filter((lease) => !this.#isOwn(lease)));
      if (leases.length === 0) {
        await this.#fillEmptyTable(signal);
        continue;
      }
      const hasNewLeases = await anyOf(streams, (stream) => stream.saw(scan, signal));
      if (signal.aborted) return;
      const isMoreFree = await this.#takeAfterScan(leases, firstPass);
      firstPass = false;
      const isIncomplete = await anyOf(streams, (stream) =>
        stream.lacksFirstLeases(leases, signal),
      );
      isStarting = isIncomplete || isMoreFree || hasNewLeases;
      await this.#rest(leases, isStarting, signal);
    }
  }

  async #fillEmptyTable(signal: AbortSignal): Promise<void> {
    const { clock } = this.#surroundings;
    const { holdings, streams } = this.#parts;
    holdings.reconcile([]);
    await Promise.all(streams.map((stream) => stream.fillEmptyTable(signal)));
    await clock.sleep(EMPTY_RESCAN_MS, signal);
  }

  /** Whether the lease is of one of the application's streams. */
  readonly #isOwn = ({ shardId }: Lease): boolean =>
    this.#parts.streams.some((stream) => stream.owns(shardId));

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
    const seen = observe(NOTHING_SEEN, found.leases.filter(this.#isOwn), clock.monotonicMs());
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
    const { holdings, streams } = this.#parts;
    const isolated = streams.flatMap((stream) => stream.isolatedAmong(leases));
    const nowMs = clock.monotonicMs();
    return {
      leases,
      workerId,
      nowMs,
      firstPass,
      random,
      busy: new Set([...holdings.busy(nowMs), ...isolated]),
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

async function anyOf(
  streams: readonly StreamLeases[],
  ask: (stream: StreamLeases) => Promise<boolean>,
): Promise<boolean> {
  return (await Promise.all(streams.map(ask))).includes(true);
}
