// This worker's part in a KCL 3.x fleet: it reads the state of the fleet, reports that it is alive
// while a leader may need the report, and decides whether a leader assigns its leases. It never
// leads, and never writes the fleet's version.

import { within } from "../../signals.ts";
import type { FleetRow } from "../fleetRow.ts";
import { retryUntil } from "../retryUntil.ts";
import type { Surroundings } from "../surroundings.ts";
import type { FleetTables, ReportPlace } from "./fleetTables.ts";
import { describe, type FleetMode, type FleetView, modeOf, NO_FLEET, watch } from "./fleetView.ts";

/** Java reads the version once a minute, and the lock every 30 s. */
const LOOK_MS = 30_000;
/** In these states the fleet keeps its rows in the lease table. */
const IN_ONE_TABLE: readonly string[] = [
  "TABLE_MIGRATION_STATUS_PENDING",
  "TABLE_MIGRATION_STATUS_COMPLETE",
];

export class Membership {
  readonly #surroundings: Surroundings;
  readonly #tables: FleetTables;
  readonly #changed: () => void;
  /** Rows of the fleet's own tables, as last read; `undefined` when there is no such table. */
  #state: readonly FleetRow[] | undefined;
  #metrics: readonly FleetRow[] | undefined;
  /** The fleet's rows that the last scan of the lease table showed. */
  #inLeaseTable: readonly FleetRow[] = [];
  #view: FleetView = NO_FLEET;
  #mode: FleetMode | undefined;
  #reportedTo: ReportPlace | undefined;

  /** @param changed the state was read again: another look at the leases is worthwhile. */
  constructor(surroundings: Surroundings, tables: FleetTables, changed: () => void) {
    this.#surroundings = surroundings;
    this.#tables = tables;
    this.#changed = changed;
  }

  /** Whether a leader assigns leases; as in KCL 2.x until it is known. */
  get mode(): FleetMode {
    return this.#mode ?? { version: "2x", led: false };
  }

  /** Reads the fleet's tables. Call this before any lease is taken. Returns early on abort. */
  async look(signal: AbortSignal): Promise<void> {
    const tables = this.#tables;
    await this.#retry("look for a 3.x fleet", signal, async () => {
      [this.#state, this.#metrics] = await Promise.all([
        tables.coordinatorState(signal),
        tables.workerMetrics(signal),
      ]);
    });
  }

  /**
   * Decides the mode from the rows known now.
   *
   * @param inLeaseTable the fleet's rows in a scan of the lease table that was just made; absent
   *   when there was no scan.
   * @throws UserError when the fleet is in an unknown state.
   */
  update(inLeaseTable?: readonly FleetRow[]): FleetMode {
    // Rows of an earlier scan would look old only because nobody has scanned since.
    if (!inLeaseTable && this.#inLeaseTable.length > 0) return this.mode;
    this.#inLeaseTable = inLeaseTable ?? [];
    const { clock, emit } = this.#surroundings;
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

  /** Reads the fleet's tables and reports, until the signal is aborted; then deletes the report. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#looks(signal), this.#reports(signal)]);
    await this.#leave();
  }

  async #looks(signal: AbortSignal): Promise<void> {
    const { clock } = this.#surroundings;
    for (;;) {
      await clock.sleep(LOOK_MS, signal);
      if (signal.aborted) return;
      await this.look(signal);
      this.#changed();
    }
  }

  async #reports(signal: AbortSignal): Promise<void> {
    const { clock, settings, workerId } = this.#surroundings;
    const everyMs = settings.workerMetricsReporterFreqInMillis;
    while (!signal.aborted) {
      const place = this.#placeToReport();
      if (place) {
        await this.#retry("report to the leader", signal, async () => {
          await this.#tables.report(place, workerId, Math.floor(clock.now() / 1000), signal);
          this.#reportedTo = place;
        });
      }
      // When the fleet changes to 3.x, or the first scan shows that it is, the report follows soon.
      await clock.sleep(place ? everyMs : Math.min(everyMs, UNREPORTED_MS), signal);
    }
  }

  #placeToReport(): ReportPlace | undefined {
    if (this.mode.version !== "3x") return undefined;
    const moved = IN_ONE_TABLE.includes(this.#view.tableMigration ?? "");
    return this.#metrics !== undefined && !moved ? "workerMetricsTable" : "leaseTable";
  }

  /**
   * Deletes the report. The leader considers a report valid for a minute: without it, the leader
   * assigns nothing to this worker after its end.
   */
  async #leave(): Promise<void> {
    const place = this.#reportedTo;
    if (!place) return;
    const { workerId, clock, failures } = this.#surroundings;
    const call = { service: "dynamodb", operation: "withdraw the report" } as const;
    const unlimited = new AbortController().signal;
    const withdraw = (signal: AbortSignal) => this.#tables.withdraw(place, workerId, signal);
    await within(LEAVE_MS, clock, unlimited, withdraw).catch((error: unknown) => {
      failures.failed(call, error, 0);
      failures.gaveUp(call);
    });
  }

  #retry<T>(
    operation: string,
    signal: AbortSignal,
    attempt: () => Promise<T>,
  ): Promise<T | undefined> {
    return retryUntil({ service: "dynamodb", operation }, attempt, this.#surroundings, signal);
  }
}

/** How often to check whether a report is needed. */
const UNREPORTED_MS = 1_000;
/** The end of the worker must not wait longer for the deletion of the report. */
const LEAVE_MS = 1_000;
