// What the keys for the metrics and tables of a KCL 3.x fleet mean.

import type { GroupDocs } from "./keyDoc.ts";

export const fleetDocs: GroupDocs<"fleet"> = {
  inMemoryWorkerMetricsCaptureFrequencyMillis: {
    meaning: "How often a worker measures its own load.",
  },
  workerMetricsReporterFreqInMillis: {
    meaning:
      "How often this worker writes to the fleet's table that it is alive, so that the leader assigns leases to it.",
  },
  noOfPersistedMetricsPerWorkerMetrics: {
    meaning: "How many measurements of a worker are kept in the table.",
  },
  disableWorkerMetrics: {
    meaning: "Whether the leader shares leases by their number, without measuring load.",
  },
  maxThroughputPerHostKBps: {
    meaning: "The throughput, in KB per second, beyond which a worker gets no more leases.",
    absent: "no limit",
  },
  dampeningPercentage: {
    meaning: "Which part of the excess load the leader moves in one step, in percent.",
  },
  reBalanceThresholdPercentage: {
    meaning: "How far from the average load, in percent, a worker may be before the leader acts.",
  },
  allowThroughputOvershoot: {
    meaning: "Whether the leader may move a lease that is larger than the excess load.",
  },
  varianceBalancingFrequency: {
    meaning: "In every how many runs the leader balances the load.",
  },
  workerMetricsEMAAlpha: {
    meaning: "The weight of the newest measurement in the moving average of a worker's load.",
  },
  staleWorkerMetricsEntryCleanupDuration: {
    meaning: "After which time the leader deletes the entry of a worker that has gone.",
    absent: "`P1D`",
  },
  workerMetricsTableName: {
    meaning: "The name of the table in which the workers of a KCL 3.x fleet report their load.",
    absent: "the value of `applicationName`, followed by `-WorkerMetricStats`",
  },
  workerMetricsBillingMode: { meaning: "The billing mode of the table for worker metrics." },
  workerMetricsReadCapacity: { meaning: "The provisioned read capacity of this table." },
  workerMetricsWriteCapacity: { meaning: "The provisioned write capacity of this table." },
  workerMetricsPointInTimeRecoveryEnabled: {
    meaning: "Whether this table has point-in-time recovery.",
  },
  workerMetricsDeletionProtectionEnabled: {
    meaning: "Whether this table is protected against deletion.",
  },
  workerMetricsTags: { meaning: "The tags of this table.", absent: "no tags" },
  coordinatorStateTableName: {
    meaning: "The name of the table in which a KCL 3.x fleet keeps its leader and its state.",
    absent: "the value of `applicationName`, followed by `-CoordinatorState`",
  },
  coordinatorStateBillingMode: { meaning: "The billing mode of the table for the state." },
  coordinatorStateReadCapacity: { meaning: "The provisioned read capacity of this table." },
  coordinatorStateWriteCapacity: { meaning: "The provisioned write capacity of this table." },
  coordinatorStatePointInTimeRecoveryEnabled: {
    meaning: "Whether this table has point-in-time recovery.",
  },
  coordinatorStateDeletionProtectionEnabled: {
    meaning: "Whether this table is protected against deletion.",
  },
  coordinatorStateTags: { meaning: "The tags of this table.", absent: "no tags" },
};
