// Keys that are checked like all others but change nothing in this version: each with its reason, in one line.
// `info` where nobody will miss it, `warning` where the person may count on it.

import type { ConfigNotice } from "./configError.ts";
import type { Key } from "./keys.ts";

type Reason = readonly [level: ConfigNotice["level"], reason: string];

const RETRIED: Reason = [
  "info",
  "what fails is tried again with growing pauses, for as long as it takes",
];
const NEVER_LEADS: Reason = [
  "info",
  "this worker follows the leader of a KCL 3.x fleet, and never leads one or makes its tables",
];
const NO_METRICS: Reason = ["warning", "no metrics are published to CloudWatch"];

const REASONS: Readonly<Partial<Record<Key, Reason>>> = {
  maxLeaseRenewalThreads: [
    "info",
    "each lease is renewed by itself, over a bounded pool of connections",
  ],
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
  clientVersionConfig: [
    "info",
    "the state that the fleet is in decides; without one leases are shared as in KCL 2.x",
  ],
  metricsLevel: NO_METRICS,
  metricsBufferTimeMillis: NO_METRICS,
  metricsMaxQueueSize: NO_METRICS,
  metricsEnabledDimensions: NO_METRICS,
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

/** Why a key changes nothing; `undefined` when it does, or asks for what happens anyway. */
export function withoutEffect(
  key: Key,
  text: string,
): Pick<ConfigNotice, "level" | "message"> | undefined {
  if (key === "metricsLevel" && /^none$/i.test(text.trim())) return undefined;
  const reason = REASONS[key];
  return reason && { level: reason[0], message: `has no effect: ${reason[1]}` };
}
