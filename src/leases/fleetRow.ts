// A row that the workers of a KCL 3.x fleet keep beside the leases, as a value: which worker leads,
// which version the fleet uses, which workers are alive.

export type FleetRow =
  /** The leader's lock. The leader gives it a new `version` every 30 s. */
  | {
      readonly type: "leader";
      readonly workerId: string;
      readonly version: string;
      readonly leaseDurationMs: number;
    }
  /** `CLIENT_VERSION_3X`, for example. */
  | { readonly type: "clientVersion"; readonly clientVersion: string }
  /** The state of the migration into one table: `TABLE_MIGRATION_STATUS_…`. */
  | { readonly type: "tableMigration"; readonly status: string }
  /** A worker's report, renewed every 30 s. */
  | {
      readonly type: "worker";
      readonly workerId: string;
      /** Seconds since 1970 by the worker's own clock. */
      readonly updatedS: number;
      /** A worker of this program, not of Java. */
      readonly ours: boolean;
    };
