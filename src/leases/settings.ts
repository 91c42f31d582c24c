// The settings of lease coordination. Names and defaults are KCL's where KCL has them.

import type { InitialPosition } from "../model/shard.ts";
import type { AssignmentSettings } from "./decisions/assignment.ts";

export interface LeaseSettings extends AssignmentSettings {
  readonly initialPosition: InitialPosition;
  /** Delete the leases of finished shards when nothing needs them any more. */
  readonly cleanupLeasesUponShardCompletion: boolean;
  /** Continue when the listing shows children of shards that are still open. */
  readonly ignoreUnexpectedChildShards: boolean;
  /**
   * Ask live workers for their leases, so that their children can finish the current batch. When
   * false, leases are taken without asking.
   */
  readonly isGracefulLeaseHandoffEnabled: boolean;
  /** The longest time for the batch and the shutdown of the child in such a handover. */
  readonly gracefulLeaseHandoffTimeoutMillis: number;
  /** How often the leader of a 3.x fleet assigns leases. */
  readonly leaseAssignmentIntervalMillis: number;
  /** How often this worker reports to such a leader that it is alive. */
  readonly workerMetricsReporterFreqInMillis: number;
  /** How often to check whether all hash keys are covered. Java: 120 s. */
  readonly auditIntervalMs?: number;
  /** How many audits in a row must find the same hole before it is filled. Java: 3. */
  readonly auditConfidence?: number;
  /** How often to delete the leases of finished shards. Java: 5 min. */
  readonly cleanupIntervalMs?: number;
  /** How often to look up finished shards whose children are not known. Java: 30 min. */
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
