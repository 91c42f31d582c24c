// Keys that the Java daemon, or an older one, knows and that do nothing here: each with its reason, in one line.
// `info` where nobody will miss it, `warning` where the person may count on it.

interface Ignored {
  readonly level: "info" | "warning";
  readonly reason: string;
}

const info = (reason: string): Ignored => ({ level: "info", reason });
const warning = (reason: string): Ignored => ({ level: "warning", reason });

const OLD = "the Java daemon has ignored it since 2.x";

export const ignoredKeys: Readonly<Record<string, Ignored>> = {
  processingLanguage: info("it only appeared in a line of the Java daemon's log"),
  maxActiveThreads: info("pipes are read without threads, so there is no pool to size"),
  validateSequenceNumberBeforeCheckpointing: info("the Java daemon has not used it since 2.x"),
  initialLeaseTableReadCapacity: info("the lease table is on demand, as the Java daemon makes it"),
  initialLeaseTableWriteCapacity: info("the lease table is on demand, as the Java daemon makes it"),
  shardSyncIntervalMillis: info("no pause is needed after a shard sync"),
  retryGetRecordsInSeconds: info(
    "the Java daemon does not use it either; it only selects polling, as it does here",
  ),
  maxGetRecordsThreadPool: info(
    "the Java daemon does not use it either; it only selects polling, as it does here",
  ),
  migrateAllEntitiesToLeaseTable: warning("the table migration is left to Java workers"),
  tableMigrationCompleteBakeTimeSeconds: info("the table migration is left to Java workers"),
  billingMode: warning(`${OLD}; tables are on demand`),
  timestampAtInitialPositionInStream: warning(`${OLD}; use initialPositionInStreamExtended`),
  dataFetchingStrategy: warning(OLD),
  maxPendingProcessRecordsInput: warning(`${OLD}; maxBufferedBytes bounds what is fetched ahead`),
  maxCacheByteSize: warning(`${OLD}; maxBufferedBytes bounds what is fetched ahead`),
  maxRecordsCount: warning(`${OLD}; maxBufferedBytes bounds what is fetched ahead`),
  idleMillisBetweenCalls: warning(`${OLD}; use idleTimeBetweenReadsInMillis`),
  maxInitializationAttempts: warning(OLD),
  skipShardSyncAtStartupIfLeasesExist: warning(
    `${OLD}; use skipShardSyncAtWorkerInitializationIfLeasesExist`,
  ),
  shardSyncStrategyType: warning(OLD),
  leaseCleanupIntervalMillis: warning(OLD),
  completedLeaseCleanupThresholdMillis: warning(OLD),
  garbageLeaseCleanupThresholdMillis: warning(OLD),
  leasesRecoveryAuditorExecutionFrequencyMillis: warning(OLD),
  leasesRecoveryAuditorInconsistencyConfidenceThreshold: warning(OLD),
  userAgent: warning(OLD),
  kinesisClientConfig: warning(`${OLD}; use kinesisClient.region, kinesisClient.endpointOverride`),
  dynamoDBClientConfig: warning(
    `${OLD}; use dynamoDbClient.region, dynamoDbClient.endpointOverride`,
  ),
  cloudWatchClientConfig: warning(
    `${OLD}; use cloudWatchClient.region, cloudWatchClient.endpointOverride`,
  ),
  shardPrioritization: warning("the Java daemon refuses any value of it"),
};
