// What the keys of leases, of reading and of metrics mean.

import type { GroupDocs } from "./keyDoc.ts";

export const leaseDocs: GroupDocs<"leases"> = {
  tableName: {
    meaning: "The name of the lease table in DynamoDB.",
    absent: "the value of `applicationName`",
  },
  failoverTimeMillis: {
    meaning:
      "How long a lease lasts without renewal. After that another worker may take it. A shorter time means faster failover and more writes to DynamoDB.",
  },
  leaseAssignmentIntervalMillis: {
    meaning:
      "How often the leader of a KCL 3.x fleet assigns leases. This worker uses it only to decide when the leader has neglected a lease.",
    absent: "twice `failoverTimeMillis`",
    java: "Its leader assigns leases at this interval.",
  },
  enablePriorityLeaseAssignment: {
    meaning:
      "Whether a worker takes leases that expired long ago first, and beyond its fair share of leases.",
  },
  maxLeasesForWorker: {
    meaning:
      "The most leases that this worker holds. If the limits of all workers are too low for the stream, some shards have no reader.",
  },
  maxLeasesToStealAtOneTime: {
    meaning:
      "The most leases that the worker requests or takes from live workers in one balancing step.",
  },
  maxLeaseRenewalThreads: {
    meaning: "The number of threads that renew leases in Java.",
    java: "It is the size of its thread pool for renewals.",
  },
  leaseTableDeletionProtectionEnabled: {
    meaning: "Whether the daemon protects the lease table against deletion when it creates it.",
  },
  leaseTablePitrEnabled: {
    meaning: "Whether the daemon switches on point-in-time recovery of the lease table.",
  },
  leaseTableScanTotalSegments: {
    meaning: "The number of parallel segments in which the lease table is scanned.",
    absent: "the daemon chooses by the size of the table",
  },
  cleanupLeasesUponShardCompletion: {
    meaning:
      "Whether the leases of finished shards are deleted once nothing needs them: their children have begun.",
    java: "The value false has no effect.",
  },
  ignoreUnexpectedChildShards: {
    meaning:
      "Whether to accept a shard list that shows children of shards that are still open. Otherwise the daemon creates no leases from such a list.",
  },
  skipShardSyncAtWorkerInitializationIfLeasesExist: {
    meaning: "Whether the shard sync at the start is skipped when the lease table has leases.",
    java: "With true, its check of hash keys in KPL aggregates is switched off as well.",
  },
  parentShardPollIntervalMillis: {
    meaning: "How long a shard waits between checks whether its parents are finished.",
  },
  listShardsBackoffTimeInMillis: {
    meaning: "The pause after ListShards was throttled.",
    java: "It pauses for exactly this time.",
  },
  maxListShardsRetryAttempts: {
    meaning: "How often a throttled ListShards is repeated.",
    java: "It gives up after this number of attempts.",
  },
  schedulerInitializationBackoffTimeMillis: {
    meaning: "The pause between attempts to initialize.",
    java: "It tries 20 times, with this pause.",
  },
  taskBackoffTimeMillis: {
    meaning:
      "The pause before a failed step in the life of a shard is repeated, such as reading its lease.",
  },
  logWarningForTaskAfterMillis: {
    meaning: "After which time a task that is still running is logged.",
    absent: "no warning",
    java: "It logs a warning, and another one when no data has arrived for this time.",
  },
  callProcessRecordsEvenForEmptyRecordList: {
    meaning: "Whether the child also receives batches without records.",
  },
  clientVersionConfig: {
    meaning: "In which version's way the workers of a KCL 3.x fleet share leases.",
    java: "It selects the coordination of KCL 3.x, or one that is compatible with KCL 2.x.",
  },
  isGracefulLeaseHandoffEnabled: {
    meaning:
      "Whether a worker requests a lease from a live owner, which then lets its child finish and checkpoint first. Otherwise the worker takes the lease at once.",
    java: "Only the leader of a KCL 3.x fleet hands leases over in this way.",
  },
  gracefulLeaseHandoffTimeoutMillis: {
    meaning:
      "How long the owner of a requested lease may take to finish its batch, checkpoint and end its child.",
  },
};

export const readingDocs: GroupDocs<"reading"> = {
  maxRecords: {
    meaning: "The most records that one GetRecords call returns. The key selects polling.",
  },
  idleTimeBetweenReadsInMillis: {
    meaning:
      "The time from the start of one GetRecords call on a shard to the start of the next. Values below 200 are raised to 200. The key selects polling.",
    absent:
      "the daemon adapts to the shard: at once when it is behind, more slowly while the shard is empty",
    java: "The default is 1500, and it counts from the end of a call.",
  },
  millisBehindLatestThresholdForReducedTps: {
    meaning:
      "When a shard is less behind than this, the next call waits for this time after the last one. The value 0 switches it off. The key selects polling.",
  },
  "fanoutConfig.consumerName": {
    meaning: "The name of the enhanced fan-out consumer to use, or to register.",
    absent: "the value of `applicationName`",
  },
  "fanoutConfig.consumerArn": {
    meaning: "The ARN of a consumer that exists. The daemon uses it and registers none.",
    absent: "the consumer is found by its name",
  },
  "fanoutConfig.maxDescribeStreamSummaryRetries": {
    meaning: "How often a throttled DescribeStreamSummary is repeated.",
  },
  "fanoutConfig.maxDescribeStreamConsumerRetries": {
    meaning:
      "How often a throttled DescribeStreamConsumer is repeated, and how often the daemon checks whether the consumer is ACTIVE.",
  },
  "fanoutConfig.registerStreamConsumerRetries": {
    meaning: "How often a throttled RegisterStreamConsumer is repeated.",
  },
  "fanoutConfig.retryBackoffMillis": {
    meaning: "The pause between the attempts of these three calls.",
  },
};

export const metricsDocs: GroupDocs<"metrics"> = {
  metricsLevel: {
    meaning:
      "Which metrics are published to CloudWatch, in the namespace of `applicationName`: none, KCL's summary metrics, or all. With a local endpoint of Kinesis and none of CloudWatch, no metrics are published.",
  },
  metricsBufferTimeMillis: {
    meaning: "How long metrics are collected before they are published.",
    java: "It also publishes when it has collected 200 metrics.",
  },
  metricsMaxQueueSize: {
    meaning:
      "The most metrics (names with dimensions) that are collected. Values of further metrics are dropped.",
  },
  metricsEnabledDimensions: {
    meaning:
      "The dimensions with which metrics are published: Operation, ShardId, WorkerIdentifier, or ALL. Without a dimension, values that differ only in it are merged.",
  },
};
