// Keys that the Java daemon or an older version of it knows, and that do nothing here, each with
// its reason. The level is `warning` where the user may rely on the key, and `info` otherwise.

interface Ignored {
  readonly level: "info" | "warning";
  readonly reason: string;
}

const info = (reason: string): Ignored => ({ level: "info", reason });
const warning = (reason: string): Ignored => ({ level: "warning", reason });

const OLD = "the Java daemon has ignored it since 2.x";

export const ignoredKeys: Readonly<Record<string, Ignored>> = {
  processingLanguage: info("the Java daemon uses it only in a line of its log"),
  maxActiveThreads: info("the daemon reads pipes without threads, so there is no thread pool"),
  validateSequenceNumberBeforeCheckpointing: info("the Java daemon has not used it since 2.x"),
  initialLeaseTableReadCapacity: info(
    "the lease table has on-demand capacity, as in the Java daemon",
  ),
  initialLeaseTableWriteCapacity: info(
    "the lease table has on-demand capacity, as in the Java daemon",
  ),
  shardSyncIntervalMillis: info("the daemon does not pause after a shard sync"),
  retryGetRecordsInSeconds: info("it only selects polling, as in the Java daemon"),
  maxGetRecordsThreadPool: info("it only selects polling, as in the Java daemon"),
  migrateAllEntitiesToLeaseTable: warning("only Java workers migrate the tables"),
  tableMigrationCompleteBakeTimeSeconds: info("only Java workers migrate the tables"),
  billingMode: warning(`${OLD}; tables have on-demand capacity`),
  timestampAtInitialPositionInStream: warning(`${OLD}; use initialPositionInStreamExtended`),
  dataFetchingStrategy: warning(OLD),
  maxPendingProcessRecordsInput: warning(`${OLD}; maxBufferedBytes limits what is fetched ahead`),
  maxCacheByteSize: warning(`${OLD}; maxBufferedBytes limits what is fetched ahead`),
  maxRecordsCount: warning(`${OLD}; maxBufferedBytes limits what is fetched ahead`),
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
  kinesisClientConfig: warning(
    `${OLD}; use kinesisClient.region and kinesisClient.endpointOverride`,
  ),
  dynamoDBClientConfig: warning(
    `${OLD}; use dynamoDbClient.region and dynamoDbClient.endpointOverride`,
  ),
  cloudWatchClientConfig: warning(
    `${OLD}; use cloudWatchClient.region and cloudWatchClient.endpointOverride`,
  ),
  shardPrioritization: warning("the Java daemon refuses to start with it"),
};
