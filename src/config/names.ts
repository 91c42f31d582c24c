// Which key a written name means: Java's aliases and nested paths, the names of environment
// variables and flags, and the suggestion ("did you mean …?") for an unknown name.

import { nearest } from "../nearest.ts";
import { ignoredKeys } from "./ignoredKeys.ts";
import { allKeys, isKey, type Key } from "./keys.ts";

/** Java's beans whose properties are also known as flat keys. */
const TRANSPARENT_PREFIXES = [
  "pollingConfig.",
  "gracefulLeaseHandoffConfigBean.",
  "workerUtilizationAwareAssignmentConfigBean.",
  "workerMetricStatsTableConfigBean.",
  "coordinatorStateTableConfigBean.",
];

const ALIASES: Readonly<Record<string, Key>> = {
  workerIdentifier: "workerId",
  "kinesisCredentialsProvider.class": "AwsCredentialsProvider",
  "dynamoDBCredentialsProvider.class": "AwsCredentialsProviderDynamoDB",
  "cloudWatchCredentialsProvider.class": "AwsCredentialsProviderCloudWatch",
};

/** The other names under which Java knows a key. */
export function aliasesOf(key: Key): readonly string[] {
  return Object.keys(ALIASES).filter((alias) => ALIASES[alias] === key);
}

/** The name under which a key is known here; an unknown name is returned as it is. */
export function canonicalName(written: string): string {
  // As in Java, only this prefix is accepted in any case; what follows it is case-sensitive.
  const name = written.replace(/^awscredentialsprovider/i, "AwsCredentialsProvider");
  const alias = Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
  if (alias !== undefined) return alias;
  const prefix = TRANSPARENT_PREFIXES.find((start) => name.startsWith(start));
  const leaf = name.slice(prefix?.length ?? 0);
  return isKey(leaf) || Object.hasOwn(ignoredKeys, leaf) ? leaf : name;
}

export const ENVIRONMENT_PREFIX = "KINESIS_MULTILANG_";

/**
 * `failoverTimeMillis` → `KINESIS_MULTILANG_FAILOVER_TIME_MILLIS`,
 * `fanoutConfig.consumerName` → `KINESIS_MULTILANG_FANOUT_CONFIG_CONSUMER_NAME`.
 */
export function environmentName(key: string): string {
  return ENVIRONMENT_PREFIX + kebab(key).replaceAll("-", "_").toUpperCase();
}

/** `failoverTimeMillis` → `--failover-time-millis`. */
export function flagName(key: string): string {
  return `--${kebab(key)}`;
}

function kebab(key: string): string {
  return key
    .replaceAll(".", "-")
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1-$2")
    .toLowerCase();
}

/**
 * The known key that `name` resembles: in another case, without its prefix, or a few letters wrong.
 */
export function suggestKey(name: string): string | undefined {
  const wanted = name.toLowerCase();
  const known = [...allKeys, ...Object.keys(ALIASES)];
  const same = known.find((key) => key.toLowerCase() === wanted);
  if (same) return same;
  const nested = known.find((key) => key.toLowerCase().endsWith(`.${wanted}`));
  if (nested) return nested;
  return nearest(name, known);
}
