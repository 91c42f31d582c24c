// How a worker in a KCL 3.x fleet finds the leases that the leader assigns to it without scanning
// all leases each time.
//
// By the index:  Java workers maintain an index of owners. A query returns the keys under our
//                worker id for half a read unit, and nothing more; it is eventually consistent. So
//                the index decides nothing: the row of a new key is read consistently, and taken by
//                the same rule as after a scan (acceptance.ts). The row of a lease of ours whose
//                key is missing is read too: another worker took it, or the leader is moving it.
//                Both are noticed as soon as by scans, and sooner in large fleets.
// By a scan:     whatever an index of our own leases cannot show: leases that nobody keeps alive,
//                because the leader may be dead itself; the fleet's rows in the lease table (its
//                leader, its version); unreadable rows; the input of audit, cleanup and pace.
// The pace:      a lease is expired when its counter has not changed for a failover time, so a scan
//                about once in that time misses nothing, and a small fleet does that. In a larger
//                fleet every worker reads every lease, so each waits 2.4 to 3 times as long as
//                without the index, but at most six failover times. When a scan shows a lease that
//                may be expired, scans are as frequent as without the index until its state is
//                clear. So the index delays a rescue by at most one wait between scans. With
//                default settings a rescue comes within two minutes, the time that Java needs to
//                find another leader; audits are two minutes apart, cleanups five. Whether the
//                leader is alive is decided when its rows have just been read, so that rare scans
//                do not make its rows look old. If it is wrongly believed alive, the rescue takes
//                the leases.
// Without it:    if the index is missing, not ready or forbidden, the worker scans as in KCL 2.x
//                and reports this once. A query that fails for a transient reason is replaced by a
//                scan.

import { inParallel } from "../../inParallel.ts";
import { isOverdue } from "../decisions/acceptance.ts";
import type { Observation } from "../decisions/observation.ts";
import { type FleetSize, indexedScanMs, indexRestMs, rescanMs } from "../decisions/scanPace.ts";
import { hasEnded, type Lease } from "../lease.ts";
import type { Surroundings } from "../surroundings.ts";
import { LeaseTableError } from "../table.ts";
import { type FleetTables, OWNER_INDEX } from "./fleetTables.ts";

/** The result of a query of the index. */
export interface OwnedLeases {
  /** All keys under our worker id. */
  readonly keys: ReadonlySet<string>;
  /** The rows of the new keys among them, read consistently. */
  readonly leases: readonly Lease[];
}

const QUERY = { service: "dynamodb", operation: "Query" } as const;
/**
 * How often to check for a usable index: Java creates one when a fleet changes to 3.x, which takes
 * minutes.
 */
const RETRY_MS = 30_000;
const READ_CONCURRENCY = 16;

export class Discovery {
  readonly #surroundings: Surroundings;
  readonly #tables: Pick<FleetTables, "ownerIndexStatus" | "keysOf">;
  #by: "index" | "scan" | undefined;
  /** Monotonic time of the next check for an index that could not be used. */
  #retryMs = Number.NEGATIVE_INFINITY;
  /** Monotonic time at which the next scan is due. */
  #scanDueMs = Number.NEGATIVE_INFINITY;
  /** Shards that had ended at the last scan. If an operator resets one, the next scan shows it. */
  #ended: ReadonlySet<string> = new Set();
  #size: FleetSize = { leases: 0, workers: 0 };

  constructor(
    surroundings: Surroundings,
    tables: Pick<FleetTables, "ownerIndexStatus" | "keysOf">,
  ) {
    this.#surroundings = surroundings;
    this.#tables = tables;
  }

  /** Call it with the result of each scan. */
  scanned(observation: Observation, size: FleetSize): void {
    const { clock, workerId, settings, random } = this.#surroundings;
    const { failoverTimeMillis } = settings;
    const nowMs = clock.monotonicMs();
    const seen = [...observation.values()];
    const isUrgent = seen.some((each) => isOverdue(each, workerId, nowMs, failoverTimeMillis));
    const ended = seen.filter(({ lease }) => hasEnded(lease));
    this.#ended = new Set(ended.map(({ lease }) => lease.shardId));
    this.#size = size;
    this.#scanDueMs = isUrgent ? nowMs : nowMs + indexedScanMs(size, failoverTimeMillis, random);
  }

  /** The wait until the next query or scan. */
  restMs(): number {
    const { clock, settings, random } = this.#surroundings;
    const isNext = this.#by === "index" && clock.monotonicMs() < this.#scanDueMs;
    return (isNext ? indexRestMs : rescanMs)(this.#size, settings.failoverTimeMillis, random);
  }

  /**
   * Queries the index.
   *
   * @param busy shards that must not be taken now.
   * @returns `undefined` when a scan is due or the query failed.
   */
  async look(busy: ReadonlySet<string>, signal: AbortSignal): Promise<OwnedLeases | undefined> {
    const { clock, workerId, failures } = this.#surroundings;
    if (clock.monotonicMs() >= this.#scanDueMs) return undefined;
    if (this.#by !== "index" && !(await this.#isReady(signal))) return undefined;
    try {
      const keys = await this.#tables.keysOf(workerId, signal);
      if (!keys) {
        this.#scanInstead("it no longer exists, or cannot be read yet");
        return undefined;
      }
      const leases = await this.#read(
        keys.filter((key) => !busy.has(key) && !this.#ended.has(key)),
        signal,
      );
      failures.recovered(QUERY);
      this.#choose("index");
      return { keys: new Set(keys), leases };
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
      return undefined;
    }
  }

  async #isReady(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#surroundings;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#retryMs) return false;
    this.#retryMs = nowMs + RETRY_MS;
    try {
      const status = await this.#tables.ownerIndexStatus(signal);
      if (status === "ACTIVE") return true;
      this.#scanInstead(status === undefined ? "there is none" : `it is ${status}`);
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    }
    return false;
  }

  /** Rows that are unreadable or were deleted are left to the next scan, which reports them. */
  async #read(keys: readonly string[], signal: AbortSignal): Promise<readonly Lease[]> {
    const leases: Lease[] = [];
    await inParallel(keys, READ_CONCURRENCY, async (key) => {
      try {
        const lease = await this.#surroundings.table.read(key, signal);
        if (lease) leases.push(lease);
      } catch (error) {
        if (!(error instanceof LeaseTableError) || error.reason !== "unreadable") throw error;
      }
    });
    return leases;
  }

  #failed(error: unknown): void {
    const { failures } = this.#surroundings;
    if (error instanceof LeaseTableError && error.reason === "denied") {
      failures.gaveUp(QUERY);
      this.#scanInstead(error.message);
    } else {
      failures.failed(QUERY, error, 0);
    }
  }

  #scanInstead(why: string): void {
    this.#choose("scan", `the index ${OWNER_INDEX} cannot be used: ${why}`);
  }

  #choose(by: "index" | "scan", why?: string): void {
    if (this.#by === by) return;
    this.#by = by;
    this.#surroundings.emit({ type: "discoveryChosen", by, ...(why !== undefined && { why }) });
  }
}
