// Which setting a written name means: Java's aliases and nested paths, the names of environment variables and flags,
// and the guess ("did you mean …?") for a name that nobody knows.

import { nearest } from "../nearest.ts";
import { ignoredKeys } from "./ignoredKeys.ts";
import { allKeys, isKey, type Key } from "./keys.ts";

/** Java's beans whose leaves are also flat keys. */
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

/** The name under which a key is known here; an unknown one comes back as it is. */
export function canonicalName(written: string): string {
  // Of all names only this prefix is taken in any case, as in Java; what follows it keeps its case.
  const name = written.replace(/^awscredentialsprovider/i, "AwsCredentialsProvider");
  const alias = Object.hasOwn(ALIASES, name) ? ALIASES[name] : undefined;
  if (alias !== undefined) return alias;
  const prefix = TRANSPARENT_PREFIXES.find((start) => name.startsWith(start));
  const leaf = name.slice(prefix?.length ?? 0);
  return isKey(leaf) || Object.hasOwn(ignoredKeys, leaf) ? leaf : name;
}

export const ENVIRONMENT_PREFIX = "KINESIS_MULTILANG_";

/** `failoverTimeMillis` → `KINESIS_MULTILANG_FAILOVER_TIME_MILLIS`, `fanoutConfig.consumerName` → `…FANOUT_CONFIG_CONSUMER_NAME`. */
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

/** The known key most like `name`, if any is like it: other case, a missing prefix, a few letters wrong. */
export function suggestKey(name: string): string | undefined {
  const wanted = name.toLowerCase();
  const known = [...allKeys, ...Object.keys(ALIASES)];
  const same = known.find((key) => key.toLowerCase() === wanted);
  if (same) return same;
  const nested = known.find((key) => key.toLowerCase().endsWith(`.${wanted}`));
  if (nested) return nested;
  return nearest(name, known);
}
