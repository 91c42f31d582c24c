// Keys that are checked like all others but have no effect in this version, each with its reason.
// The level is `warning` where the user may rely on the key, and `info` otherwise.

import type { ConfigNotice } from "./configError.ts";
import type { Key } from "./keys.ts";

type Reason = readonly [level: ConfigNotice["level"], reason: string];

const RETRIED: Reason = ["info", "the daemon retries with growing pauses and without a limit"];
const NEVER_LEADS: Reason = [
  "info",
  "this worker never leads a KCL 3.x fleet and never creates the tables of one",
];

const REASONS: Readonly<Partial<Record<Key, Reason>>> = {
  maxLeaseRenewalThreads: [
    "info",
    "each lease is renewed on its own, over a limited number of connections",
  ],
  skipShardSyncAtWorkerInitializationIfLeasesExist: [
    "info",
    "shards that have leases do not wait for the sync at the start",
  ],
  listShardsBackoffTimeInMillis: RETRIED,
  maxListShardsRetryAttempts: RETRIED,
  schedulerInitializationBackoffTimeMillis: RETRIED,
  logWarningForTaskAfterMillis: [
    "warning",
    "use progressTimeoutSeconds, which detects shards that make no progress",
  ],
  clientVersionConfig: [
    "info",
    "the state of the fleet decides; without a KCL 3.x fleet, leases are shared as in KCL 2.x",
  ],
  inMemoryWorkerMetricsCaptureFrequencyMillis: NEVER_LEADS,
  noOfPersistedMetricsPerWorkerMetrics: NEVER_LEADS,
  disableWorkerMetrics: NEVER_LEADS,
  maxThroughputPerHostKBps: NEVER_LEADS,
  dampeningPercentage: NEVER_LEADS,
  reBalanceThresholdPercentage: NEVER_LEADS,
  allowThroughputOvershoot: NEVER_LEADS,
  varianceBalancingFrequency: NEVER_LEADS,
  workerMetricsEMAAlpha: NEVER_LEADS,
  staleWorkerMetricsEntryCleanupDuration: NEVER_LEADS,
  workerMetricsBillingMode: NEVER_LEADS,
  workerMetricsReadCapacity: NEVER_LEADS,
  workerMetricsWriteCapacity: NEVER_LEADS,
  workerMetricsPointInTimeRecoveryEnabled: NEVER_LEADS,
  workerMetricsDeletionProtectionEnabled: NEVER_LEADS,
  workerMetricsTags: NEVER_LEADS,
  coordinatorStateBillingMode: NEVER_LEADS,
  coordinatorStateReadCapacity: NEVER_LEADS,
  coordinatorStateWriteCapacity: NEVER_LEADS,
  coordinatorStatePointInTimeRecoveryEnabled: NEVER_LEADS,
  coordinatorStateDeletionProtectionEnabled: NEVER_LEADS,
  coordinatorStateTags: NEVER_LEADS,
};

/** Why a key has no effect; `undefined` when it has one. */
export function withoutEffect(key: Key): Pick<ConfigNotice, "level" | "message"> | undefined {
  const reason = REASONS[key];
  return reason && { level: reason[0], message: `has no effect: ${reason[1]}` };
}
