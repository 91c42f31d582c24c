// Opens the lease table where the settings say: in DynamoDB, or in a local directory. A directory
// has no fleet, so nothing looks for one.

import { dynamoClient } from "../aws/dynamoClient.ts";
import { awsOptions } from "../aws/options.ts";
import type { Clock } from "../clock.ts";
import { leaseDirectoryIn } from "../config/leaseStore.ts";
import type { Settings } from "../config/settings.ts";
import type { Emit } from "../events.ts";
import { type FleetTables, fleetTables } from "../leases/kcl3/fleetTables.ts";
import type { KeyMode } from "../leases/leaseKey.ts";
import type { TableOptions } from "../leases/table/dynamoSchema.ts";
import { dynamoLeaseTable } from "../leases/table/dynamoTable.ts";
import type { LeaseTable } from "../leases/table.ts";
import { VERSION } from "../package.ts";

export interface LeaseStore {
  readonly table: LeaseTable;
  readonly fleet?: FleetTables;
  /** Names the store in events about its calls. */
  readonly emit: Emit;
  close(): Promise<void>;
}

export async function openLeaseStore(
  settings: Settings,
  clock: Clock,
  emit: Emit,
): Promise<LeaseStore> {
  const directory = leaseDirectoryIn(settings.leaseStore);
  return directory === undefined
    ? inDynamo(settings, clock, emit)
    : inDirectory(directory, settings, clock, emit);
}

async function inDynamo(settings: Settings, clock: Clock, emit: Emit): Promise<LeaseStore> {
  const reach = await awsOptions(settings, "dynamodb", { emit });
  const client = await dynamoClient({ ...reach, emit });
  return {
    table: dynamoLeaseTable(client, tableOptions(settings), clock),
    fleet: fleetTables(client, settings, VERSION),
    emit,
    close: async () => client.destroy(),
  };
}

async function inDirectory(
  path: string,
  settings: Settings,
  clock: Clock,
  emit: Emit,
): Promise<LeaseStore> {
  const { LeaseDirectory } = await import("../leases/file/leaseDirectory.ts");
  const directory = new LeaseDirectory(path, settings.tableName, clock);
  return {
    table: directory.asTable(modeOf(settings)),
    emit: (event) => {
      const isAboutLeases = "service" in event && event.service === "dynamodb";
      emit(isAboutLeases ? { ...event, service: "leaseStore" } : event);
    },
    close: () => directory.close(),
  };
}

function modeOf({ streams }: Settings): KeyMode {
  return streams ? "multiStream" : "singleStream";
}

function tableOptions(settings: Settings): TableOptions {
  const { leaseTableScanTotalSegments: scanSegments } = settings;
  return {
    tableName: settings.tableName,
    mode: modeOf(settings),
    deletionProtection: settings.leaseTableDeletionProtectionEnabled,
    pointInTimeRecovery: settings.leaseTablePitrEnabled,
    ...(scanSegments !== undefined && { scanSegments }),
  };
}
