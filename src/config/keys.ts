// Every property key that the daemon checks: its type, bounds and default, under the name that the
// Java daemon uses. Defaults are those that take effect in Java; where ours differ, a comment says
// so. What each key means is in docs/, where a key without documentation does not compile.

import { z } from "zod";
import { DIALECT_CHOICES } from "../model/dialect.ts";
import { DESTINATION_FORM, parseDestination } from "../model/failureDestination.ts";
import { HTTP_ADDRESS_FORM, parseHttpAddress } from "../model/httpAddress.ts";
import { LEASE_STORE, LEASE_STORE_FORM } from "./leaseStore.ts";
import { parseStreamArn, STREAM_ARN_FORM } from "./streamArn.ts";
import { parseStreams, STREAMS_FORM } from "./streams.ts";
import {
  decimal,
  duration,
  endpoint,
  flag,
  matching,
  millis,
  oneOf,
  seconds,
  tags,
  text,
  time,
  wholeNumber,
  wholeNumberOr,
  words,
} from "./values.ts";

const REGION = /^[A-Za-z0-9-]{1,63}$/;
// A table may also be named by its ARN.
const TABLE = /^(?:[a-zA-Z0-9_.-]{3,255}|arn:aws[a-z-]*:dynamodb:.+)$/;
const TABLE_ALLOWED = "a table name: 3 to 255 of the characters a-z A-Z 0-9 _ . -";
const CONSUMER = /^[a-zA-Z0-9_.-]{1,128}$/;
const CONSUMER_ALLOWED = "a consumer name: 1 to 128 of the characters a-z A-Z 0-9 _ . -";
const region = () => matching(REGION, "a region such as eu-west-1");
const table = () => matching(TABLE, TABLE_ALLOWED);
const count = (min = 0) => wholeNumber({ min });

const daemonKeys = {
  executableName: text().optional(),
  applicationName: matching(/^[^\s]+$/, "a name without blanks").optional(),
  streamName: text()
    .transform((value, context) => {
      const streams = value === undefined ? undefined : parseStreams(value);
      if (typeof streams !== "string") return streams;
      context.addIssue({ code: "custom", message: streams });
      return z.NEVER;
    })
    .describe(STREAMS_FORM)
    .optional(),
  streamArn: text()
    .transform((value, context) => {
      const arn = value === undefined ? undefined : parseStreamArn(value.trim());
      if (arn || value === undefined) return arn;
      context.addIssue({ code: "custom", message: STREAM_ARN_FORM });
      return z.NEVER;
    })
    .describe(STREAM_ARN_FORM)
    .optional(),
  workerId: text().optional(),
  timeoutInSeconds: seconds(1).optional(),
  // Java: 0, so that it ends children without waiting for them.
  shutdownGraceMillis: millis().default(10_000),
  initialPositionInStream: oneOf("LATEST", "TRIM_HORIZON", "AT_TIMESTAMP").default("LATEST"),
  initialPositionInStreamExtended: time().optional(),
  // AUTO is ours: fan-out, or polling where a permission or a free consumer is missing.
  retrievalMode: oneOf("DEFAULT", "POLLING", "FANOUT", "AUTO").default("DEFAULT"),
};

const clientKeys = {
  regionName: region().optional(),
  kinesisEndpoint: endpoint().optional(),
  dynamoDBEndpoint: endpoint().optional(),
  AwsCredentialsProvider: text().optional(),
  AwsCredentialsProviderDynamoDB: text().optional(),
  AwsCredentialsProviderCloudWatch: text().optional(),
  "kinesisClient.region": region().optional(),
  "kinesisClient.endpointOverride": endpoint().optional(),
  "kinesisClient.dualstackEnabled": flag().optional(),
  "kinesisClient.fipsEnabled": flag().optional(),
  "dynamoDbClient.region": region().optional(),
  "dynamoDbClient.endpointOverride": endpoint().optional(),
  "dynamoDbClient.dualstackEnabled": flag().optional(),
  "dynamoDbClient.fipsEnabled": flag().optional(),
  "cloudWatchClient.region": region().optional(),
  "cloudWatchClient.endpointOverride": endpoint().optional(),
  "cloudWatchClient.dualstackEnabled": flag().optional(),
  "cloudWatchClient.fipsEnabled": flag().optional(),
};

const leaseKeys = {
  tableName: table().optional(),
  failoverTimeMillis: millis(1).default(10_000),
  leaseAssignmentIntervalMillis: millis(1).optional(),
  enablePriorityLeaseAssignment: flag().default(true),
  maxLeasesForWorker: count(1).default(2_147_483_647),
  maxLeasesToStealAtOneTime: count(1).default(1),
  maxLeaseRenewalThreads: count(1).default(20),
  leaseTableDeletionProtectionEnabled: flag().default(false),
  leaseTablePitrEnabled: flag().default(false),
  leaseTableScanTotalSegments: wholeNumber({ min: 1, max: 1_000_000 }).optional(),
  cleanupLeasesUponShardCompletion: flag().default(true),
  ignoreUnexpectedChildShards: flag().default(false),
  skipShardSyncAtWorkerInitializationIfLeasesExist: flag().default(false),
  parentShardPollIntervalMillis: millis(1).default(10_000),
  listShardsBackoffTimeInMillis: millis(1).default(1_500),
  maxListShardsRetryAttempts: count(1).default(50),
  schedulerInitializationBackoffTimeMillis: millis(1).default(1_000),
  taskBackoffTimeMillis: millis(1).default(500),
  logWarningForTaskAfterMillis: millis().optional(),
  callProcessRecordsEvenForEmptyRecordList: flag().default(false),
  clientVersionConfig: oneOf(
    "CLIENT_VERSION_CONFIG_3X",
    "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X",
    "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X_PHASE1",
  ).default("CLIENT_VERSION_CONFIG_3X"),
  isGracefulLeaseHandoffEnabled: flag().default(true),
  gracefulLeaseHandoffTimeoutMillis: millis().default(30_000),
};

const readingKeys = {
  // GetRecords returns at most 10,000 records and 10 MB.
  maxRecords: wholeNumber({ min: 1, max: 10_000 }).default(10_000),
  idleTimeBetweenReadsInMillis: millis(1).default(1_500),
  millisBehindLatestThresholdForReducedTps: millis().default(0),
  "fanoutConfig.consumerName": matching(CONSUMER, CONSUMER_ALLOWED).optional(),
  "fanoutConfig.consumerArn": matching(
    /^arn:aws[a-z-]*:kinesis:[a-z0-9-]+:\d{12}:stream\/[^/]+\/consumer\/[^:]+:\d+$/,
    "a consumer's ARN: arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/NAME:NUMBER",
  ).optional(),
  "fanoutConfig.maxDescribeStreamSummaryRetries": count(1).default(10),
  "fanoutConfig.maxDescribeStreamConsumerRetries": count(1).default(10),
  "fanoutConfig.registerStreamConsumerRetries": count(1).default(10),
  "fanoutConfig.retryBackoffMillis": millis(1).default(1_000),
};

const metricsKeys = {
  metricsLevel: oneOf("NONE", "SUMMARY", "DETAILED").default("DETAILED"),
  metricsBufferTimeMillis: millis(1).default(10_000),
  metricsMaxQueueSize: count(1).default(10_000),
  metricsEnabledDimensions: words().default(["ALL"]),
};

/** The metrics and tables that the workers of a KCL 3.x fleet share. */
const workerMetricsKeys = {
  inMemoryWorkerMetricsCaptureFrequencyMillis: millis(1).default(1_000),
  workerMetricsReporterFreqInMillis: millis(1).default(30_000),
  noOfPersistedMetricsPerWorkerMetrics: count(1).default(10),
  disableWorkerMetrics: flag().default(false),
  maxThroughputPerHostKBps: decimal({ min: 0 }).optional(),
  dampeningPercentage: wholeNumber({ min: 1, max: 100 }).default(60),
  reBalanceThresholdPercentage: wholeNumber({ min: 1, max: 100 }).default(10),
  allowThroughputOvershoot: flag().default(true),
  varianceBalancingFrequency: count(1).default(3),
  workerMetricsEMAAlpha: decimal({ min: 0, max: 1 }).default(0.5),
  staleWorkerMetricsEntryCleanupDuration: duration().default(86_400_000),
  workerMetricsTableName: table().optional(),
  workerMetricsBillingMode: oneOf("PAY_PER_REQUEST", "PROVISIONED").default("PAY_PER_REQUEST"),
  workerMetricsReadCapacity: count().default(0),
  workerMetricsWriteCapacity: count().default(0),
  workerMetricsPointInTimeRecoveryEnabled: flag().default(false),
  workerMetricsDeletionProtectionEnabled: flag().default(false),
  workerMetricsTags: tags().default({}),
  coordinatorStateTableName: table().optional(),
  coordinatorStateBillingMode: oneOf("PAY_PER_REQUEST", "PROVISIONED").default("PAY_PER_REQUEST"),
  coordinatorStateReadCapacity: count().default(0),
  coordinatorStateWriteCapacity: count().default(0),
  coordinatorStatePointInTimeRecoveryEnabled: flag().default(false),
  coordinatorStateDeletionProtectionEnabled: flag().default(false),
  coordinatorStateTags: tags().default({}),
};

/** Keys that the Java daemon does not know. */
const ourKeys = {
  leaseStore: matching(LEASE_STORE, LEASE_STORE_FORM).optional(),
  onChildFailure: oneOf("restart", "releaseLease", "exit").default("restart"),
  maxChildRestarts: count().default(5),
  childRestartWindowMillis: millis(1).default(600_000),
  // -1: without limit, as in Lambda's event source mapping.
  maximumRetryAttempts: count(-1).default(-1),
  maximumRecordAgeInSeconds: count(-1).default(-1),
  bisectBatchOnFunctionError: flag().default(false),
  onFailureDestination: text()
    .transform((value, context) => {
      const place = value === undefined ? undefined : parseDestination(value);
      if (typeof place !== "string") return value?.trim();
      context.addIssue({ code: "custom", message: place });
      return z.NEVER;
    })
    .describe(DESTINATION_FORM)
    .optional(),
  // Java always drops: an aggregate with a record of another shard's hash key yields no record.
  aggregateHashRangeCheck: oneOf("drop", "deliver").default("drop"),
  progressTimeoutSeconds: seconds(1).optional(),
  checkpointPolicy: oneOf("processor", "onBatchSuccess").default("processor"),
  checkpointIntervalMs: millis().default(0),
  // One budget for all shards. A single GetRecords response may hold 10 MB, 13.4 MB as base64.
  maxBufferedBytes: wholeNumber({ min: 2 ** 20, max: 2 ** 40, of: "bytes" }).optional(),
  parallelizationFactor: wholeNumberOr("auto", { min: 1, max: 32 }).default(1),
  maxLaneAheadBytes: wholeNumber({ min: 2 ** 20, max: 2 ** 40, of: "bytes" }).default(2 ** 26),
  maxBatchRecords: count(1).optional(),
  maxBatchBytes: wholeNumber({ min: 1, max: 2 ** 31 - 1, of: "bytes" }).optional(),
  // Lambda's maximum batching window is 300 s too.
  maxBatchWindowMs: wholeNumber({ min: 0, max: 300_000, of: "milliseconds" }).default(0),
  // Java 2.x and 3.x: kcl2; Java 1.x: kcl1.
  childDialect: oneOf(...DIALECT_CHOICES).default("auto"),
  childEnv: words().optional(),
  passCredentials: flag().default(true),
  emfDestination: matching(/^(stdout|file:.+)$/, "stdout, or file:PATH").optional(),
  httpListen: text()
    .transform((value, context) => {
      const address = value === undefined ? undefined : parseHttpAddress(value);
      if (address || value === undefined) return address;
      context.addIssue({ code: "custom", message: HTTP_ADDRESS_FORM });
      return z.NEVER;
    })
    .describe(HTTP_ADDRESS_FORM)
    .optional(),
  // A guess takes 2^64 attempts at the least, if the token is made by a program.
  httpToken: matching(/^[\x21-\x7e]{16,}$/, "16 or more characters without blanks").optional(),
  httpAllowRemote: flag().default(false),
  // Java's default logback configuration writes to STDOUT.
  logToStdout: flag().default(false),
};

const keyGroups = {
  daemon: daemonKeys,
  clients: clientKeys,
  leases: leaseKeys,
  reading: readingKeys,
  metrics: metricsKeys,
  fleet: workerMetricsKeys,
  ours: ourKeys,
};

/** The groups in which the documentation shows the keys. */
export type KeyGroups = typeof keyGroups;

export const keysSchema = z.object({
  ...daemonKeys,
  ...clientKeys,
  ...leaseKeys,
  ...readingKeys,
  ...metricsKeys,
  ...workerMetricsKeys,
  ...ourKeys,
});

/** The values of all keys from the file, the environment and the flags, with defaults filled in. */
export type KeyValues = z.output<typeof keysSchema>;

export type Key = keyof KeyValues;

export function isKey(name: string): name is Key {
  return Object.hasOwn(keysSchema.shape, name);
}

/** Whether the Java daemon does not know the key. */
export function isOurs(key: Key): boolean {
  return Object.hasOwn(ourKeys, key);
}

export const allKeys = Object.keys(keysSchema.shape).filter(isKey);

/** With `retrievalMode = DEFAULT`, any of these keys selects polling, as in Java. */
export const POLLING_KEYS: readonly string[] = [
  "maxRecords",
  "idleTimeBetweenReadsInMillis",
  "millisBehindLatestThresholdForReducedTps",
  "retryGetRecordsInSeconds",
  "maxGetRecordsThreadPool",
];
