// The types with which the Java daemon declares its fields. They decide how it reads a text: a
// number that does not parse becomes 0, and the 0 of a primitive type counts as not set.

import type { Key } from "./keys.ts";

export type JavaType =
  | "int"
  | "Integer"
  | "long"
  | "Long"
  | "double"
  | "boolean"
  | "Boolean"
  | "enum"
  | "list"
  | "seconds"
  | "Duration"
  | "tags"
  | "URI";

const of = <T extends JavaType>(type: T, ...keys: readonly Key[]): [Key, JavaType][] =>
  keys.map((key) => [key, type]);

const JAVA_TYPES: ReadonlyMap<Key, JavaType> = new Map([
  ...of(
    "int",
    "maxLeasesForWorker",
    "maxLeasesToStealAtOneTime",
    "maxLeaseRenewalThreads",
    "leaseTableScanTotalSegments",
    "maxListShardsRetryAttempts",
    "maxRecords",
    "fanoutConfig.maxDescribeStreamSummaryRetries",
    "fanoutConfig.maxDescribeStreamConsumerRetries",
    "fanoutConfig.registerStreamConsumerRetries",
    "metricsMaxQueueSize",
    "noOfPersistedMetricsPerWorkerMetrics",
    "dampeningPercentage",
    "reBalanceThresholdPercentage",
    "varianceBalancingFrequency",
  ),
  ...of("Integer", "timeoutInSeconds"),
  ...of(
    "long",
    "shutdownGraceMillis",
    "failoverTimeMillis",
    "leaseAssignmentIntervalMillis",
    "parentShardPollIntervalMillis",
    "listShardsBackoffTimeInMillis",
    "schedulerInitializationBackoffTimeMillis",
    "taskBackoffTimeMillis",
    "idleTimeBetweenReadsInMillis",
    "millisBehindLatestThresholdForReducedTps",
    "fanoutConfig.retryBackoffMillis",
    "metricsBufferTimeMillis",
    "inMemoryWorkerMetricsCaptureFrequencyMillis",
    "workerMetricsReporterFreqInMillis",
    "workerMetricsReadCapacity",
    "workerMetricsWriteCapacity",
    "coordinatorStateReadCapacity",
    "coordinatorStateWriteCapacity",
  ),
  ...of("Long", "logWarningForTaskAfterMillis", "gracefulLeaseHandoffTimeoutMillis"),
  ...of("double", "maxThroughputPerHostKBps", "workerMetricsEMAAlpha"),
  ...of(
    "boolean",
    "cleanupLeasesUponShardCompletion",
    "ignoreUnexpectedChildShards",
    "skipShardSyncAtWorkerInitializationIfLeasesExist",
    "callProcessRecordsEvenForEmptyRecordList",
  ),
  ...of(
    "Boolean",
    "enablePriorityLeaseAssignment",
    "leaseTableDeletionProtectionEnabled",
    "leaseTablePitrEnabled",
    "isGracefulLeaseHandoffEnabled",
    "disableWorkerMetrics",
    "allowThroughputOvershoot",
    "workerMetricsPointInTimeRecoveryEnabled",
    "workerMetricsDeletionProtectionEnabled",
    "coordinatorStatePointInTimeRecoveryEnabled",
    "coordinatorStateDeletionProtectionEnabled",
  ),
  ...of(
    "enum",
    "initialPositionInStream",
    "retrievalMode",
    "metricsLevel",
    "clientVersionConfig",
    "workerMetricsBillingMode",
    "coordinatorStateBillingMode",
  ),
  ...of("list", "metricsEnabledDimensions"),
  ...of("seconds", "initialPositionInStreamExtended"),
  ...of("Duration", "staleWorkerMetricsEntryCleanupDuration"),
  ...of("tags", "workerMetricsTags", "coordinatorStateTags"),
  ...of("URI", "kinesisEndpoint", "dynamoDBEndpoint"),
]);

/** `undefined` for keys that Java does not know, and for texts and regions. */
export function javaType(key: Key): JavaType | undefined {
  return JAVA_TYPES.get(key);
}

/** Whether a 0 means "not set" in Java, so that a file that contains it keeps working. */
export function javaUnsets(key: Key, text: string): boolean {
  const type = javaType(key);
  if (type !== "int" && type !== "long" && type !== "double") return false;
  // For these keys 0 has a meaning: no grace period, and no threshold.
  if (key === "shutdownGraceMillis" || key === "millisBehindLatestThresholdForReducedTps") {
    return false;
  }
  return /^[+-]?0+(\.0*)?$/.test(text.trim());
}
