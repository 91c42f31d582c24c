// The settings as the program uses them: the keys under their KCL names, and what several keys together decide.

import { randomUUID } from "node:crypto";
import type { InitialPosition } from "../model/shard.ts";
import type { ChildCommand } from "./childCommand.ts";
import type { CredentialsProvider } from "./credentialsProvider.ts";
import type { KeyValues } from "./keys.ts";
import type { StreamArn } from "./streamArn.ts";

export type Service = "kinesis" | "dynamodb" | "cloudwatch";

/** How one AWS service is reached. */
export interface ServiceSettings {
  /** Absent = the region chain of the SDK, then `fallbackRegion`. */
  readonly region?: string;
  /** For a place where the region chain finds nothing: the region in the stream's ARN. */
  readonly fallbackRegion?: string;
  readonly endpoint?: string;
  /** Tried in this order; never empty. */
  readonly credentials: readonly CredentialsProvider[];
  readonly dualstackEnabled?: boolean;
  readonly fipsEnabled?: boolean;
}

interface FanoutConfig {
  readonly consumerName: string;
  /** Use this consumer and register none. */
  readonly consumerArn?: string;
  readonly maxDescribeStreamSummaryRetries: number;
  readonly maxDescribeStreamConsumerRetries: number;
  readonly registerStreamConsumerRetries: number;
  readonly retryBackoffMillis: number;
}

/** The keys that are settings just as they are written: all without a dot, less those that `Derived` replaces. */
type PlainKeys = {
  readonly [K in keyof KeyValues as K extends `${string}.${string}` | Replaced
    ? never
    : K]: KeyValues[K];
};

type Replaced = keyof Derived | "initialPositionInStream" | "initialPositionInStreamExtended";

interface Derived {
  readonly executableName: string;
  readonly command: ChildCommand;
  readonly applicationName: string;
  /** From `streamArn`, when there is one. */
  readonly streamName: string;
  readonly streamArn?: StreamArn;
  /** A random UUID when not given. */
  readonly workerId: string;
  readonly initialPosition: InitialPosition;
  /** What `retrievalMode` comes to: DEFAULT is polling if any polling key was given, else fan-out. */
  readonly retrieval: "POLLING" | "FANOUT" | "AUTO";
  /** The lease table; `applicationName` when not given. */
  readonly tableName: string;
  readonly leaseAssignmentIntervalMillis: number;
  readonly workerMetricsTableName: string;
  readonly coordinatorStateTableName: string;
  readonly fanoutConfig: FanoutConfig;
  readonly services: Readonly<Record<Service, ServiceSettings>>;
}

/** Frozen. Names are KCL's, units as in the names; `staleWorkerMetricsEntryCleanupDuration` is in milliseconds. */
export type Settings = PlainKeys & Derived;

/** What must have been found out before settings can be made of values. */
export interface Parts {
  readonly values: KeyValues;
  readonly command: ChildCommand;
  readonly executableName: string;
  readonly applicationName: string;
  readonly streamName: string;
  readonly initialPosition: InitialPosition;
  readonly pollingKeyGiven: boolean;
  readonly credentials: Readonly<Record<Service, readonly CredentialsProvider[]>>;
}

export function settle(parts: Parts): Settings {
  const { values, applicationName, credentials, pollingKeyGiven, ...decided } = parts;
  const plain = Object.fromEntries(Object.entries(values).filter(([key]) => !key.includes(".")));
  const implied = pollingKeyGiven ? "POLLING" : "FANOUT";
  return deepFreeze({
    ...(plain as PlainKeys),
    ...decided,
    ...optional("streamArn", values.streamArn),
    applicationName,
    workerId: values.workerId ?? randomUUID(),
    retrieval: values.retrievalMode === "DEFAULT" ? implied : values.retrievalMode,
    tableName: values.tableName ?? applicationName,
    leaseAssignmentIntervalMillis:
      values.leaseAssignmentIntervalMillis ?? 2 * values.failoverTimeMillis,
    workerMetricsTableName: values.workerMetricsTableName ?? `${applicationName}-WorkerMetricStats`,
    coordinatorStateTableName:
      values.coordinatorStateTableName ?? `${applicationName}-CoordinatorState`,
    fanoutConfig: fanoutConfig(values, applicationName),
    services: services(values, credentials),
  });
}

function fanoutConfig(values: KeyValues, applicationName: string): FanoutConfig {
  return {
    consumerName: values["fanoutConfig.consumerName"] ?? applicationName,
    ...optional("consumerArn", values["fanoutConfig.consumerArn"]),
    maxDescribeStreamSummaryRetries: values["fanoutConfig.maxDescribeStreamSummaryRetries"],
    maxDescribeStreamConsumerRetries: values["fanoutConfig.maxDescribeStreamConsumerRetries"],
    registerStreamConsumerRetries: values["fanoutConfig.registerStreamConsumerRetries"],
    retryBackoffMillis: values["fanoutConfig.retryBackoffMillis"],
  };
}

/**
 * A client's own key before the flat key for all. Without either, Kinesis is called in the region of the stream's ARN;
 * the others follow the region chain, as under Java, so that the lease table stays where it was.
 */
function services(values: KeyValues, credentials: Parts["credentials"]): Settings["services"] {
  const arnRegion = values.streamArn?.region;
  const service = (
    client: "kinesisClient" | "dynamoDbClient" | "cloudWatchClient",
    providers: readonly CredentialsProvider[],
    flatEndpoint?: string,
    flatRegion = values.regionName,
  ): ServiceSettings => ({
    ...optional("region", values[`${client}.region`] ?? flatRegion),
    ...optional("fallbackRegion", arnRegion),
    ...optional("endpoint", values[`${client}.endpointOverride`] ?? flatEndpoint),
    credentials: providers,
    ...optional("dualstackEnabled", values[`${client}.dualstackEnabled`]),
    ...optional("fipsEnabled", values[`${client}.fipsEnabled`]),
  });
  return {
    kinesis: service(
      "kinesisClient",
      credentials.kinesis,
      values.kinesisEndpoint,
      values.regionName ?? arnRegion,
    ),
    dynamodb: service("dynamoDbClient", credentials.dynamodb, values.dynamoDBEndpoint),
    cloudwatch: service("cloudWatchClient", credentials.cloudwatch),
  };
}

/** A property that is not there at all when it has no value. */
function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
