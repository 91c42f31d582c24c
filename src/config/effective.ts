// Every setting as it takes effect, for display: its value, its source, and what Java would do with
// it.

import { formatHttpAddress } from "../model/httpAddress.ts";
import type { Source } from "./configError.ts";
import type { Given } from "./given.ts";
import { javaReading } from "./javaReading.ts";
import { allKeys, type Key } from "./keys.ts";
import type { LoadedSettings } from "./loadSettings.ts";
import { MASK, maskText, maskValue } from "./secrets.ts";
import type { Service, Settings } from "./settings.ts";

export interface EffectiveSetting {
  readonly key: Key;
  /** With secrets masked; `null` when the key is not set and has no default. */
  readonly value: unknown;
  readonly source: Source;
  /** The key whose value this one takes while it is not set itself. */
  readonly follows?: Key;
  /** What Java would do instead; absent when it does the same. */
  readonly java?: string;
}

export function effectiveSettings({
  settings,
  given,
  sources,
}: Pick<LoadedSettings, "settings" | "given" | "sources">): EffectiveSetting[] {
  return allKeys.map((key) => {
    const written = given.get(key);
    const java = javaReading(key, written);
    const follows = followed(key, given);
    return {
      key,
      value: shownValue(key, settings, written),
      source: sources[key],
      ...(follows !== undefined && { follows }),
      ...(java !== undefined && { java: written ? hidden(key, java, written) : java }),
    };
  });
}

/** Keys whose default is the value of another key: the first in the list that is set. */
const FOLLOWS: { readonly [K in Key]?: readonly Key[] } = {
  tableName: ["applicationName"],
  leaseAssignmentIntervalMillis: ["failoverTimeMillis"],
  "fanoutConfig.consumerName": ["applicationName"],
  workerMetricsTableName: ["applicationName"],
  coordinatorStateTableName: ["applicationName"],
  "kinesisClient.region": ["regionName", "streamArn"],
  "dynamoDbClient.region": ["regionName"],
  "cloudWatchClient.region": ["regionName"],
  "kinesisClient.endpointOverride": ["kinesisEndpoint"],
  "dynamoDbClient.endpointOverride": ["dynamoDBEndpoint"],
};

function followed(key: Key, given: ReadonlyMap<Key, Given>): Key | undefined {
  if (key === "streamName" && given.get("streamArn")?.text.trim()) return "streamArn";
  return given.has(key) ? undefined : FOLLOWS[key]?.find((other) => given.has(other));
}

/** The text about Java may quote the value, so a secret in it is masked too. */
function hidden(key: Key, java: string, written: Given): string {
  if (written.secret || maskValue(key, written.text) !== written.text)
    return maskText(java.split(":")[0] ?? "");
  return java;
}

function shownValue(key: Key, settings: Settings, written: Given | undefined): unknown {
  if (written?.secret) return MASK;
  const value = rawValue(key, settings, written);
  return typeof value === "string" ? maskValue(key, value) : (value ?? null);
}

const CLIENTS = {
  kinesisClient: "kinesis",
  dynamoDbClient: "dynamodb",
  cloudWatchClient: "cloudwatch",
} as const satisfies Readonly<Record<string, Service>>;

function rawValue(key: Key, settings: Settings, written: Given | undefined): unknown {
  const [start = "", leaf = ""] = key.split(".");
  if (start === "fanoutConfig")
    return Object.entries(settings.fanoutConfig).find(([name]) => name === leaf)?.[1];
  if (Object.hasOwn(CLIENTS, start)) {
    const service = CLIENTS[start as keyof typeof CLIENTS];
    const name = leaf === "endpointOverride" ? "endpoint" : leaf;
    return Object.entries(settings.services[service]).find(([known]) => known === name)?.[1];
  }
  switch (key) {
    case "workerId":
      return written ? settings.workerId : "a random UUID at each start";
    case "streamArn":
      return settings.streamArn?.arn ?? written?.text;
    case "httpListen":
      return settings.httpListen && formatHttpAddress(settings.httpListen);
    case "AwsCredentialsProvider":
      return written?.text ?? "DefaultCredentialsProvider";
    case "AwsCredentialsProviderDynamoDB":
    case "AwsCredentialsProviderCloudWatch":
      return written?.text ?? "as AwsCredentialsProvider";
    case "initialPositionInStream":
      return settings.initialPosition.type;
    case "initialPositionInStreamExtended":
      return "timestamp" in settings.initialPosition
        ? settings.initialPosition.timestamp.toISOString()
        : undefined;
    case "retrievalMode":
      return settings.retrievalMode === "DEFAULT"
        ? `DEFAULT: ${settings.retrieval}`
        : settings.retrievalMode;
    default:
      return Object.entries(settings).find(([name]) => name === key)?.[1];
  }
}
