// Which setting a written name means: Java's aliases and nested paths, the names of environment variables and flags,
// and the guess ("did you mean …?") for a name that nobody knows.

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
  const limit = Math.max(1, Math.min(4, Math.floor(wanted.length / 4)));
  let best: { readonly key: string; readonly distance: number } | undefined;
  for (const key of known) {
    const distance = editDistance(wanted, key.toLowerCase());
    if (distance <= limit && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) {
      best = { key, distance };
    }
  }
  return best?.key;
}

/** Insertions, deletions, replacements, and swaps of neighbours, that lead from one text to the other. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const differs = from[i - 1] === to[j - 1] ? 0 : 1;
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + differs);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
}
