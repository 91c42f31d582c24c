// The tables of a KCL 3.0 to 3.4 fleet whose leader, a Java worker, is alive and has nothing to do.
// The cost of reading them is added to the cost of the lease table.

import type { FleetRow } from "../../src/leases/fleetRow.ts";
import type { FleetTables } from "../../src/leases/kcl3/fleetTables.ts";
import { INDEX_KEY_BYTES, METRICS_ROW_BYTES } from "./java.ts";
import type { Schedule } from "./schedule.ts";
import type { SimTable } from "./table.ts";
import { scanUnits } from "./units.ts";

const HEARTBEAT_MS = 30_000;
/** Consistent reads, one unit each: version, lock, migration into one table. */
const STATE_ROWS = 3;

export function ledFleet({ rows, meter }: SimTable, schedule: Schedule): FleetTables {
  const reports = new Map<string, FleetRow>();
  const wrote = () => {
    meter.writeUnits += 1;
  };
  return {
    coordinatorState: async () => {
      meter.readUnits += STATE_ROWS;
      const version = String(Math.floor(schedule.nowMs / HEARTBEAT_MS));
      return [
        { type: "clientVersion", clientVersion: "CLIENT_VERSION_3X" },
        { type: "leader", workerId: "java", version, leaseDurationMs: 120_000 },
      ];
    },
    workerMetrics: async () => {
      meter.readUnits += scanUnits(reports.size * METRICS_ROW_BYTES);
      return [...reports.values()];
    },
    report: async (_, workerId, updatedS) => {
      wrote();
      reports.set(workerId, { type: "worker", workerId, updatedS, ours: true });
    },
    withdraw: async (_, workerId) => {
      wrote();
      reports.delete(workerId);
    },
    ownerIndexStatus: async () => "ACTIVE",
    keysOf: async (workerId) => {
      const own = [...rows.values()].filter(({ lease }) => lease.owner === workerId);
      meter.readUnits += scanUnits(own.length * INDEX_KEY_BYTES);
      return own.map(({ lease }) => lease.shardId);
    },
  };
}
