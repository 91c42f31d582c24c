// This worker's part in a KCL 3.x fleet: it finds out what the fleet is, reports that it is alive while a leader may want
// to know, and says how leases come to it. It never leads, and never writes the fleet's version.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { persist } from "../persist.ts";
import type { Trouble } from "../trouble.ts";
import type { FleetRow } from "./fleetRows.ts";
import type { FleetTables, ReportPlace } from "./fleetTables.ts";
import { describe, type FleetMode, type FleetView, modeOf, NO_FLEET, watch } from "./fleetView.ts";

export interface MembershipParts {
  readonly tables: FleetTables;
  readonly workerId: string;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly trouble: Trouble;
  readonly random: () => number;
  readonly workerMetricsReporterFreqInMillis: number;
  /** The mode has changed: look at the leases again. */
  readonly news: () => void;
}

/** Java looks at the version once a minute, and at the lock every 30 s. */
const LOOK_MS = 30_000;
/** Rows in the lease table are read with the leases; tables that are absent may come with an upgrade. */
const IN_ONE_TABLE: readonly string[] = [
  "TABLE_MIGRATION_STATUS_PENDING",
  "TABLE_MIGRATION_STATUS_COMPLETE",
];

export class Membership {
  readonly #parts: MembershipParts;
  /** Rows of the fleet's own tables, as last read; `undefined` = no such table. */
  #state: readonly FleetRow[] | undefined;
  #metrics: readonly FleetRow[] | undefined;
  /** Rows that the last scan of the lease table showed. */
  #inLeaseTable: readonly FleetRow[] = [];
  #view: FleetView = NO_FLEET;
  #mode: FleetMode | undefined;
  #reportedTo: ReportPlace | undefined;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  /** How leases come to this worker; as in KCL 2.x until it is known. */
  get mode(): FleetMode {
    return this.#mode ?? { version: "2x", led: false };
  }

  /** The first look, before anything is taken. Returns early when the signal is aborted. */
  async look(signal: AbortSignal): Promise<void> {
    const { tables } = this.#parts;
    await this.#persist("look for a 3.x fleet", signal, async () => {
      [this.#state, this.#metrics] = await Promise.all([
        tables.coordinatorState(signal),
        tables.workerMetrics(signal),
      ]);
    });
  }

  /**
   * What is known by now.
   *
   * @param inLeaseTable what a scan of the lease table has just shown beside the leases; absent: there was none.
   * @throws UserError when the fleet is in a state that we do not know.
   */
  see(inLeaseTable?: readonly FleetRow[]): FleetMode {
    // Rows of an earlier scan look old because nobody has looked.
    if (!inLeaseTable && this.#inLeaseTable.length > 0) return this.mode;
    this.#inLeaseTable = inLeaseTable ?? [];
    const { clock, emit } = this.#parts;
    const rows = [...(this.#state ?? []), ...(this.#metrics ?? []), ...this.#inLeaseTable];
    const nowMs = clock.monotonicMs();
    this.#view = watch(this.#view, rows, nowMs);
    const mode = modeOf(this.#view, nowMs, clock.now());
    const before = this.#mode;
    this.#mode = mode;
    if (before?.version !== mode.version || before.led !== mode.led) {
      emit({ type: "fleetModeChosen", found: describe(this.#view), ...mode });
    }
    return mode;
  }

  /** Looks at the fleet's tables and reports, until the signal is aborted; then takes the report back. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#looks(signal), this.#reports(signal)]);
    await this.#leave();
  }

  async #looks(signal: AbortSignal): Promise<void> {
    const { clock, news } = this.#parts;
    for (;;) {
      await clock.sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      await this.look(signal);
      news();
    }
  }

  async #reports(signal: AbortSignal): Promise<void> {
    const { clock, workerMetricsReporterFreqInMillis: everyMs } = this.#parts;
    const { tables, workerId } = this.#parts;
    while (!signal.aborted) {
      const place = this.#placeToReport();
      if (place) {
        await this.#persist("report to the leader", signal, async () => {
          await tables.report(place, workerId, Math.floor(clock.now() / 1000), signal);
          this.#reportedTo = place;
        });
      }
      // A fleet that turns to 3.x, or a first scan, should not have to wait for a report.
      await clock.sleep(place ? everyMs : Math.min(everyMs, UNREPORTED_MS), signal);
    }
  }

  #placeToReport(): ReportPlace | undefined {
    if (this.mode.version !== "3x") return undefined;
    const moved = IN_ONE_TABLE.includes(this.#view.tableMigration ?? "");
    return this.#metrics !== undefined && !moved ? "workerMetricsTable" : "leaseTable";
  }

  /** The leader goes by reports for a minute: without ours it assigns nothing to a worker that has gone. */
  async #leave(): Promise<void> {
    const place = this.#reportedTo;
    if (!place) return;
    const { tables, workerId, clock, trouble } = this.#parts;
    const limit = new AbortController();
    const work = { service: "dynamodb", operation: "withdraw the report", who: "" } as const;
    const withdrawn = tables.withdraw(place, workerId, limit.signal).catch((error: unknown) => {
      trouble.failed(work, error, 0);
      trouble.gaveUp(work);
    });
    const over = new AbortController();
    await Promise.race([withdrawn, clock.sleep(LEAVE_MS, over.signal)]);
    over.abort();
    limit.abort();
    await withdrawn;
  }

  #persist<T>(
    operation: string,
    signal: AbortSignal,
    attempt: () => Promise<T>,
  ): Promise<T | undefined> {
    return persist({ service: "dynamodb", operation, who: "" }, attempt, this.#parts, signal);
  }
}

const UNREPORTED_MS = 1_000;
/** Leaving must not hold up the end. */
const LEAVE_MS = 1_000;
