// What this worker knows of a KCL 3.x fleet, from watching its rows, and what follows from it.
//
// Mode:   the fleet's version decides. Without one, or in the states before and after an upgrade, leases are shared as in
//         KCL 2.x. In the 3.x states the leader, a Java worker, assigns them, and nobody takes any.
// Alive:  a Java worker lives whose row was renewed lately, by its clock and ours or as seen by us; or whose lock was. Only
//         Java workers lead: we never take the lock. So while none is alive, our workers share the leases among
//         themselves, and give way when one comes back. Should we be wrong, because clocks disagree or a report is late, two
//         deciders contradict each other for a while; the counter fences them, so that costs moves and no records.

import { UserError } from "../../model/errors.ts";
import { counted } from "../../plural.ts";
import type { FleetRow } from "./fleetRows.ts";

export interface Watched<Row> {
  readonly row: Row;
  /** Monotonic time at which its news was last seen to change; `undefined` = never seen to change. */
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

/** How leases come to workers: taken by each as in KCL 2.x, or assigned by the leader of a 3.x fleet, if there is one. */
export interface FleetMode {
  readonly version: "2x" | "3x";
  /** A Java worker is alive that leads or will. */
  readonly led: boolean;
}

/** Java's reporting period, which no worker tells; two of them make a worker dead for the leader, too. */
const REPORT_MS = 30_000;
const FRESH_MS = 2 * REPORT_MS;
/** Between a worker's report and our next look at it. */
const LOOK_MARGIN_MS = 15_000;
/** Two heartbeats of the lock. */
const HEARTBEATS_MS = 60_000;

const AS_2X: ReadonlySet<string> = new Set(["CLIENT_VERSION_UPGRADE_FROM_2X", "CLIENT_VERSION_2X"]);
const AS_3X: ReadonlySet<string> = new Set([
  "CLIENT_VERSION_3X_WITH_ROLLBACK",
  "CLIENT_VERSION_3X",
]);

/** @param rows all that there are now. */
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
 * @throws UserError for a version that we do not know: whatever we did could be wrong.
 */
export function modeOf(view: FleetView, nowMs: number, now: number): FleetMode {
  const { clientVersion } = view;
  if (clientVersion === undefined || AS_2X.has(clientVersion)) return { version: "2x", led: false };
  if (!AS_3X.has(clientVersion)) {
    throw new UserError(
      `The fleet of this application is in the state "${clientVersion}", which this version does not know (it knows ${[...AS_2X, ...AS_3X].join(", ")}). Use a newer version of kinesis-multilang, or stop the workers that wrote it.`,
    );
  }
  return { version: "3x", led: isLed(view, nowMs, now) };
}

/** In words, for the log. */
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
  // Who holds the lock also reports. A lock whose owner's report is old is left from a dead worker.
  const since = leader.changedMs ?? (java.length === 0 ? leader.sinceMs : undefined);
  return since !== undefined && nowMs - since < HEARTBEATS_MS + LOOK_MARGIN_MS;
}

function seen<Row>(
  before: Watched<Row> | undefined,
  row: Row,
  news: (row: Row) => unknown,
  nowMs: number,
): Watched<Row> {
  if (!before) return { row, changedMs: undefined, sinceMs: nowMs };
  const changed = news(before.row) !== news(row);
  return { row, changedMs: changed ? nowMs : before.changedMs, sinceMs: before.sinceMs };
}
