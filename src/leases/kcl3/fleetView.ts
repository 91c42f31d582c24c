// What this worker knows about a KCL 3.x fleet from observing its rows, and what follows from it.
//
// Mode:   the fleet's version decides. Without a version, or in the states before and after an
//         upgrade, leases are shared as in KCL 2.x. In the 3.x states the leader, a Java worker,
//         assigns them, and no worker takes any itself.
// Alive:  a Java worker is alive when its report or its lock was renewed recently, by its clock and
//         ours, or as observed by us. Only Java workers lead: this daemon never takes the lock. So
//         while no Java worker is alive, our workers share the leases among themselves, and stop
//         doing so when one returns. If that decision is wrong, because clocks differ or a report
//         is late, two deciders contradict each other for a while. The counter fences them, so this
//         costs lease moves and no records.

import { UserError } from "../../model/errors.ts";
import { counted } from "../../plural.ts";
import type { FleetRow } from "../fleetRow.ts";

export interface Watched<Row> {
  readonly row: Row;
  /** Monotonic time at which it was last seen to change; `undefined` when it was never. */
  readonly changedMs: number | undefined;
  /** Monotonic time at which it was first seen. */
  readonly sinceMs: number;
}

export interface FleetView {
  readonly clientVersion: string | undefined;
  readonly tableMigration: string | undefined;
  readonly leader: Watched<Extract<FleetRow, { type: "leader" }>> | undefined;
  readonly workers: ReadonlyMap<string, Watched<Extract<FleetRow, { type: "worker" }>>>;
}

export const NO_FLEET: FleetView = {
  clientVersion: undefined,
  tableMigration: undefined,
  leader: undefined,
  workers: new Map(),
};

/**
 * Whether each worker takes leases itself, as in KCL 2.x, or the leader of a 3.x fleet assigns
 * them.
 */
export interface FleetMode {
  readonly version: "2x" | "3x";
  /** A Java worker is alive, which leads or will lead. */
  readonly led: boolean;
}

/**
 * Java's default reporting period; reports do not contain it. The leader also considers a worker
 * dead after two periods.
 */
const REPORT_MS = 30_000;
const FRESH_MS = 2 * REPORT_MS;
/** Between a worker's report and the time when we read it. */
const LOOK_MARGIN_MS = 15_000;
/** Two renewals of the lock. */
const LOCK_RENEWALS_MS = 60_000;

const AS_2X: ReadonlySet<string> = new Set(["CLIENT_VERSION_UPGRADE_FROM_2X", "CLIENT_VERSION_2X"]);
const AS_3X: ReadonlySet<string> = new Set([
  "CLIENT_VERSION_3X_WITH_ROLLBACK",
  "CLIENT_VERSION_3X",
]);

/** @param rows all rows that exist now. */
export function watch(before: FleetView, rows: readonly FleetRow[], nowMs: number): FleetView {
  const leader = rows.find((row) => row.type === "leader");
  const known = new Map([...before.workers.values()].map((seen) => [seen.row.workerId, seen]));
  return {
    clientVersion: rows.find((row) => row.type === "clientVersion")?.clientVersion,
    tableMigration: rows.find((row) => row.type === "tableMigration")?.status,
    leader: leader && seen(before.leader, leader, (row) => row.version, nowMs),
    workers: new Map(
      rows
        .filter((row) => row.type === "worker")
        .map((row) => [
          row.workerId,
          seen(known.get(row.workerId), row, ({ updatedS }) => updatedS, nowMs),
        ]),
    ),
  };
}

/**
 * @param now wall-clock time in milliseconds since 1970.
 * @throws UserError for an unknown version, for which no behaviour is known to be right.
 */
export function modeOf(view: FleetView, nowMs: number, now: number): FleetMode {
  const { clientVersion } = view;
  if (clientVersion === undefined || AS_2X.has(clientVersion)) return { version: "2x", led: false };
  if (!AS_3X.has(clientVersion)) {
    throw new UserError(
      `The fleet of this application is in the state "${clientVersion}", which this version of kinesis-multilang does not know (it knows ${[...AS_2X, ...AS_3X].join(", ")}). Use a newer version, or stop the workers that wrote it.`,
    );
  }
  return { version: "3x", led: isLed(view, nowMs, now) };
}

/** Describes the fleet for the log. */
export function describe({ clientVersion, leader, workers }: FleetView): string {
  if (clientVersion === undefined) return "no state of KCL 3.x was found";
  const java = [...workers.values()].filter(({ row }) => !row.ours).length;
  return [
    `the fleet is in the state ${clientVersion}`,
    leader
      ? `its leader's lock is held by ${leader.row.workerId}`
      : "nobody holds the leader's lock",
    `${counted(java, "Java worker has", "Java workers have")} reported`,
  ].join(", ");
}

function isLed({ leader, workers }: FleetView, nowMs: number, now: number): boolean {
  const java = [...workers.values()].filter(({ row }) => !row.ours);
  for (const { row, changedMs } of java) {
    if (Math.abs(now - row.updatedS * 1000) < FRESH_MS + LOOK_MARGIN_MS) return true;
    if (changedMs !== undefined && nowMs - changedMs < FRESH_MS + LOOK_MARGIN_MS) return true;
  }
  if (!leader) return false;
  // The holder of the lock also reports. If its report is old, the lock is left from a dead worker.
  const since = leader.changedMs ?? (java.length === 0 ? leader.sinceMs : undefined);
  return since !== undefined && nowMs - since < LOCK_RENEWALS_MS + LOOK_MARGIN_MS;
}

function seen<Row>(
  before: Watched<Row> | undefined,
  row: Row,
  version: (row: Row) => unknown,
  nowMs: number,
): Watched<Row> {
  if (!before) return { row, changedMs: undefined, sinceMs: nowMs };
  const changed = version(before.row) !== version(row);
  return { row, changedMs: changed ? nowMs : before.changedMs, sinceMs: before.sinceMs };
}
