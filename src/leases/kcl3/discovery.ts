// How a worker finds the leases that the leader of a KCL 3.x fleet gives to it without reading all leases each time.
//
// By the index:   Java's workers keep an index of owners. It tells the keys under our name for half a read unit, and nothing
//                 more, perhaps a moment late. So it decides nothing: a new key's row is read as it is now, and taken by the rule
//                 that holds after a scan (assignment.ts). A lease of ours whose key is missing is read too: it was taken
//                 from us, or the leader wants it for another. Both are noticed as soon as by scans, in large fleets sooner.
// By a scan:      what an index of our own leases cannot show. Leases that nobody keeps alive, for which the leader may be dead
//                 itself; the fleet's rows in the lease table (its leader, its version); rows that cannot be read; what audit,
//                 cleanup and the pace itself go by.
// The pace:       a lease is dead when its counter has not moved for a failover time. So nothing is missed by scanning about once in
//                 that time, and a small fleet does. In a larger one every worker reads every lease, and each waits 2.4 to 3
//                 times as long as it would without the index, at most six failover times. As soon as a scan shows a lease that may be
//                 dead, scans are as frequent as without the index until that is settled; so the index can delay a rescue by one
//                 wait between scans, not more. With default settings it comes within two minutes at the worst, the time that Java
//                 takes to find another leader; audits are two minutes apart, cleanups five. Whether the leader lives is judged when
//                 its rows have just been read, so that rows do not look old because we looked seldom; while it is wrongly
//                 believed alive, the rescue does its work.
// Without it:     an index that is missing, not ready or forbidden means scans as before, and is told once. A look that fails
//                 for a passing reason is replaced by a scan.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { inParallel } from "../../inParallel.ts";
import { isOverdue } from "../decisions/assignment.ts";
import type { Observation } from "../decisions/leaseAges.ts";
import { type FleetSize, indexedScanMs, indexRestMs, rescanMs } from "../decisions/scanPace.ts";
import { hasEnded, type Lease } from "../lease.ts";
import { type LeaseTable, LeaseTableError } from "../table.ts";
import type { Trouble } from "../trouble.ts";
import { type FleetTables, OWNER_INDEX } from "./fleetTables.ts";

export interface DiscoveryParts {
  readonly tables: Pick<FleetTables, "ownerIndexStatus" | "keysOf">;
  readonly table: Pick<LeaseTable, "read">;
  readonly workerId: string;
  readonly failoverTimeMillis: number;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly trouble: Trouble;
  readonly random: () => number;
}

/** What a look by the index shows. */
export interface Found {
  /** All keys under our name. */
  readonly keys: ReadonlySet<string>;
  /** The rows of the new ones among them, as they are now. */
  readonly leases: readonly Lease[];
}

const WORK = { service: "dynamodb", operation: "Query", who: "" } as const;
/** An index that cannot be used is looked for again: Java makes one when a fleet turns to 3.x, which takes minutes. */
const RETRY_MS = 30_000;
const READ_CONCURRENCY = 16;

export class Discovery {
  readonly #parts: DiscoveryParts;
  #by: "index" | "scan" | undefined;
  /** Monotonic time from which to try an index that could not be used. */
  #retryMs = Number.NEGATIVE_INFINITY;
  /** Monotonic time from which a scan is due. */
  #scanDueMs = Number.NEGATIVE_INFINITY;
  /** Shards whose leases have ended, by the last scan; one that a person sets back is seen by the next. */
  #ended: ReadonlySet<string> = new Set();
  #size: FleetSize = { leases: 0, workers: 0 };

  constructor(parts: DiscoveryParts) {
    this.#parts = parts;
  }

  /** To be told what each scan showed. */
  scanned(observation: Observation, size: FleetSize): void {
    const { clock, workerId, failoverTimeMillis, random } = this.#parts;
    const nowMs = clock.monotonicMs();
    const seen = [...observation.values()];
    const isUrgent = seen.some((each) => isOverdue(each, workerId, nowMs, failoverTimeMillis));
    const ended = seen.filter(({ lease }) => hasEnded(lease));
    this.#ended = new Set(ended.map(({ lease }) => lease.shardId));
    this.#size = size;
    this.#scanDueMs = isUrgent ? nowMs : nowMs + indexedScanMs(size, failoverTimeMillis, random);
  }

  /** The wait until the next look. */
  restMs(): number {
    const { clock, failoverTimeMillis, random } = this.#parts;
    const isNext = this.#by === "index" && clock.monotonicMs() < this.#scanDueMs;
    return (isNext ? indexRestMs : rescanMs)(this.#size, failoverTimeMillis, random);
  }

  /**
   * A look by the index.
   *
   * @param busy shards that are not to be taken now.
   * @returns `undefined` when a scan is due or the index did not answer.
   */
  async look(busy: ReadonlySet<string>, signal: AbortSignal): Promise<Found | undefined> {
    if (this.#parts.clock.monotonicMs() >= this.#scanDueMs) return undefined;
    if (this.#by !== "index" && !(await this.#isReady(signal))) return undefined;
    try {
      const keys = await this.#parts.tables.keysOf(this.#parts.workerId, signal);
      if (!keys) {
        this.#without("it is not there any more, or not to be read yet");
        return undefined;
      }
      const leases = await this.#read(
        keys.filter((key) => !busy.has(key) && !this.#ended.has(key)),
        signal,
      );
      this.#parts.trouble.recovered(WORK);
      this.#choose("index");
      return { keys: new Set(keys), leases };
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
      return undefined;
    }
  }

  async #isReady(signal: AbortSignal): Promise<boolean> {
    const { clock, tables } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#retryMs) return false;
    this.#retryMs = nowMs + RETRY_MS;
    try {
      const status = await tables.ownerIndexStatus(signal);
      if (status === "ACTIVE") return true;
      this.#without(status === undefined ? "there is none" : `it is ${status}`);
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    }
    return false;
  }

  /** A row that cannot be read, or is none any more, is left to the next scan, which tells it. */
  async #read(keys: readonly string[], signal: AbortSignal): Promise<readonly Lease[]> {
    const leases: Lease[] = [];
    await inParallel(keys, READ_CONCURRENCY, async (key) => {
      try {
        const lease = await this.#parts.table.read(key, signal);
        if (lease) leases.push(lease);
      } catch (error) {
        if (!(error instanceof LeaseTableError) || error.trouble !== "unreadable") throw error;
      }
    });
    return leases;
  }

  #failed(error: unknown): void {
    const { trouble } = this.#parts;
    if (error instanceof LeaseTableError && error.trouble === "denied") {
      trouble.gaveUp(WORK);
      this.#without(error.message);
    } else {
      trouble.failed(WORK, error, 0);
    }
  }

  #without(why: string): void {
    this.#choose("scan", `the index ${OWNER_INDEX} cannot be used: ${why}`);
  }

  #choose(by: "index" | "scan", why?: string): void {
    if (this.#by === by) return;
    this.#by = by;
    this.#parts.emit({ type: "discoveryChosen", by, ...(why !== undefined && { why }) });
  }
}
