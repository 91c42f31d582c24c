// How the Java daemon declares a field, which decides what it makes of a text: a number that does not parse is 0,
// and the zero of a primitive counts as not set.

import type { Key } from "./keys.ts";

export type JavaType =
  | "int"
  | "Integer"
  | "long"
  | "Long"
  | "double"
  | "boolean"
  | "Boolean"
  | "String"
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

/** Absent for keys that Java does not have; texts and regions are `String`. */
export function javaType(key: Key): JavaType | undefined {
  return JAVA_TYPES.get(key);
}

/** True for a written 0 that Java takes as "not set", so that a file with it keeps working. */
export function javaUnsets(key: Key, text: string): boolean {
  const type = javaType(key);
  if (type !== "int" && type !== "long" && type !== "double") return false;
  // An honest 0 is possible here: no grace, no bound.
  if (key === "shutdownGraceMillis" || key === "millisBehindLatestThresholdForReducedTps") {
    return false;
  }
  return /^[+-]?0+(\.0*)?$/.test(text.trim());
}
