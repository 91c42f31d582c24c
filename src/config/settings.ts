// The settings as the program uses them: the keys under their KCL names, and the values that follow
// from several keys together.

import { randomUUID } from "node:crypto";
import type { InitialPosition } from "../model/shard.ts";
import type { ChildCommand } from "./childCommand.ts";
import type { CredentialsProvider } from "./credentialsProvider.ts";
import type { KeyValues } from "./keys.ts";
import type { StreamArn } from "./streamArn.ts";
import type { NamedStream } from "./streams.ts";

export type Service = "kinesis" | "dynamodb" | "cloudwatch";

/** How one AWS service is reached. */
export interface ServiceSettings {
  /** When absent, the region chain of the SDK decides, and then `fallbackRegion`. */
  readonly region?: string;
  /** The region in the stream's ARN, for when the region chain finds none. */
  readonly fallbackRegion?: string;
  readonly endpoint?: string;
  /** Tried in this order. Never empty. */
  readonly credentials: readonly CredentialsProvider[];
  readonly dualstackEnabled?: boolean;
  readonly fipsEnabled?: boolean;
}

interface FanoutConfig {
  readonly consumerName: string;
  /** The daemon uses this consumer and registers none. */
  readonly consumerArn?: string;
  readonly maxDescribeStreamSummaryRetries: number;
  readonly maxDescribeStreamConsumerRetries: number;
  readonly registerStreamConsumerRetries: number;
  readonly retryBackoffMillis: number;
}

/**
 * The keys whose values are used unchanged: all without a dot, except those in `Derived`.
 */
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
  /**
   * From `streamArn`, if that is set. In multi-stream mode the names of all streams, joined by
   * commas.
   */
  readonly streamName: string;
  readonly streamArn?: StreamArn;
  /** Present in multi-stream mode, in which lease keys contain the stream. */
  readonly streams?: readonly NamedStream[];
  /** A random UUID when not set. */
  readonly workerId: string;
  readonly initialPosition: InitialPosition;
  /**
   * The outcome of `retrievalMode`: DEFAULT means polling if any polling key is set, else fan-out.
   */
  readonly retrieval: "POLLING" | "FANOUT" | "AUTO";
  /** The lease table; `applicationName` when not set. */
  readonly tableName: string;
  readonly leaseAssignmentIntervalMillis: number;
  readonly workerMetricsTableName: string;
  readonly coordinatorStateTableName: string;
  readonly fanoutConfig: FanoutConfig;
  readonly services: Readonly<Record<Service, ServiceSettings>>;
}

/**
 * Frozen. Names are KCL's, with units as in the names; `staleWorkerMetricsEntryCleanupDuration` is
 * in milliseconds.
 */
export type Settings = PlainKeys & Derived;

/** What validation has found out. */
export interface Parts {
  readonly values: KeyValues;
  readonly command: ChildCommand;
  readonly executableName: string;
  readonly applicationName: string;
  readonly streamName: string;
  readonly streams?: readonly NamedStream[];
  readonly initialPosition: InitialPosition;
  readonly pollingKeyGiven: boolean;
  readonly credentials: Readonly<Record<Service, readonly CredentialsProvider[]>>;
}

export function deriveSettings(parts: Parts): Settings {
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
    services: services(values, credentials, parts.streams),
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
 * A client's own key overrides the flat key for all clients. Without either, Kinesis is called in
 * the region of the stream's ARN. The other clients follow the region chain, as in Java, so that
 * the lease table stays where it was.
 */
function services(
  values: KeyValues,
  credentials: Parts["credentials"],
  streams: readonly NamedStream[] = [],
): Settings["services"] {
  const arnRegion = values.streamArn?.region ?? streams.find(({ region }) => region)?.region;
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

/** An object with the property, or without it when the value is undefined. */
function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: V });
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
