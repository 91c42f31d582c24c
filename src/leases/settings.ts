// What the coordination of leases can be told; names and defaults are KCL's where KCL has them.

import type { InitialPosition } from "../model/shard.ts";
import type { AssignmentSettings } from "./decisions/assignment.ts";

export interface LeaseSettings extends AssignmentSettings {
  readonly initialPosition: InitialPosition;
  /** Delete leases of finished shards once nothing needs them. */
  readonly cleanupLeasesUponShardCompletion: boolean;
  /** Go on when the listing shows children of shards that are still open. */
  readonly ignoreUnexpectedChildShards: boolean;
  /** Live workers are asked for their leases and finish their batches first; else leases are taken from them. */
  readonly isGracefulLeaseHandoffEnabled: boolean;
  /** How long a batch and a goodbye may take then. */
  readonly gracefulLeaseHandoffTimeoutMillis: number;
  /** How often the leader of a 3.x fleet assigns leases. */
  readonly leaseAssignmentIntervalMillis: number;
  /** How often this worker tells such a leader that it is alive. */
  readonly workerMetricsReporterFreqInMillis: number;
  /** Java looks every 120 s whether all hash keys are covered … */
  readonly auditIntervalMs?: number;
  /** … and believes a hole that it has seen 3 times. */
  readonly auditConfidence?: number;
  /** Java deletes finished leases every 5 min. */
  readonly cleanupIntervalMs?: number;
  /** Java asks every 30 min what became of finished shards without known children. */
  readonly garbageIntervalMs?: number;
}

export const LEASE_DEFAULTS = {
  failoverTimeMillis: 10_000,
  maxLeasesForWorker: 2_147_483_647,
  maxLeasesToStealAtOneTime: 1,
  enablePriorityLeaseAssignment: true,
  initialPosition: { type: "LATEST" },
  cleanupLeasesUponShardCompletion: true,
  ignoreUnexpectedChildShards: false,
  isGracefulLeaseHandoffEnabled: true,
  gracefulLeaseHandoffTimeoutMillis: 30_000,
  leaseAssignmentIntervalMillis: 20_000,
  workerMetricsReporterFreqInMillis: 30_000,
  auditIntervalMs: 120_000,
  auditConfidence: 3,
  cleanupIntervalMs: 300_000,
  garbageIntervalMs: 1_800_000,
} as const satisfies LeaseSettings;
