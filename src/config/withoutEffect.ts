// Keys that are checked like all others but change nothing in this version: each with its reason, in one line.
// `info` where nobody will miss it, `warning` where the person may count on it.

import type { ConfigNotice } from "./configError.ts";
import type { Key } from "./keys.ts";

type Reason = readonly [level: ConfigNotice["level"], reason: string];

const RETRIED: Reason = [
  "info",
  "what fails is tried again with growing pauses, for as long as it takes",
];
const LIKE_2X: Reason = ["warning", "leases are coordinated as by KCL 2.x, without a leader"];
const NO_METRICS: Reason = ["warning", "no metrics are published to CloudWatch"];

const REASONS: Readonly<Partial<Record<Key, Reason>>> = {
  leaseAssignmentIntervalMillis: LIKE_2X,
  maxLeaseRenewalThreads: [
    "info",
    "each lease is renewed by itself, over a bounded pool of connections",
  ],
  leaseTableScanTotalSegments: ["info", "the table is scanned in one segment"],
  skipShardSyncAtWorkerInitializationIfLeasesExist: [
    "info",
    "the sync at the start does not hold up what has leases",
  ],
  listShardsBackoffTimeInMillis: RETRIED,
  maxListShardsRetryAttempts: RETRIED,
  schedulerInitializationBackoffTimeMillis: RETRIED,
  logWarningForTaskAfterMillis: [
    "warning",
    "progressTimeoutSeconds watches over what takes too long",
  ],
  clientVersionConfig: LIKE_2X,
  isGracefulLeaseHandoffEnabled: LIKE_2X,
  gracefulLeaseHandoffTimeoutMillis: LIKE_2X,
  metricsLevel: NO_METRICS,
  metricsBufferTimeMillis: NO_METRICS,
  metricsMaxQueueSize: NO_METRICS,
  metricsEnabledDimensions: NO_METRICS,
  inMemoryWorkerMetricsCaptureFrequencyMillis: LIKE_2X,
  workerMetricsReporterFreqInMillis: LIKE_2X,
  noOfPersistedMetricsPerWorkerMetrics: LIKE_2X,
  disableWorkerMetrics: LIKE_2X,
  maxThroughputPerHostKBps: LIKE_2X,
  dampeningPercentage: LIKE_2X,
  reBalanceThresholdPercentage: LIKE_2X,
  allowThroughputOvershoot: LIKE_2X,
  varianceBalancingFrequency: LIKE_2X,
  workerMetricsEMAAlpha: LIKE_2X,
  staleWorkerMetricsEntryCleanupDuration: LIKE_2X,
  workerMetricsTableName: LIKE_2X,
  workerMetricsBillingMode: LIKE_2X,
  workerMetricsReadCapacity: LIKE_2X,
  workerMetricsWriteCapacity: LIKE_2X,
  workerMetricsPointInTimeRecoveryEnabled: LIKE_2X,
  workerMetricsDeletionProtectionEnabled: LIKE_2X,
  workerMetricsTags: LIKE_2X,
  coordinatorStateTableName: LIKE_2X,
  coordinatorStateBillingMode: LIKE_2X,
  coordinatorStateReadCapacity: LIKE_2X,
  coordinatorStateWriteCapacity: LIKE_2X,
  coordinatorStatePointInTimeRecoveryEnabled: LIKE_2X,
  coordinatorStateDeletionProtectionEnabled: LIKE_2X,
  coordinatorStateTags: LIKE_2X,
};

/** Why a key that the person wrote changes nothing; `undefined` when it does. */
export function withoutEffect(key: Key): Pick<ConfigNotice, "level" | "message"> | undefined {
  const reason = REASONS[key];
  return reason && { level: reason[0], message: `has no effect: ${reason[1]}` };
}
