// Gathers the values as written: flags override the environment, which overrides the file. It knows
// the names of keys, but not what their values mean.

import { counted } from "../plural.ts";
import { type ConfigNotice, type ConfigProblem, formatSource, type Source } from "./configError.ts";
import { isScopeOf, parseScope } from "./environmentScope.ts";
import { hintsFor } from "./hints.ts";
import { ignoredKeys } from "./ignoredKeys.ts";
import { allKeys, isKey, type Key } from "./keys.ts";
import {
  canonicalName,
  ENVIRONMENT_PREFIX,
  environmentName,
  flagName,
  suggestKey,
} from "./names.ts";
import type { PropertyEntry } from "./propertiesText.ts";
import { resolveReferences } from "./references.ts";
import { withoutEffect } from "./withoutEffect.ts";

/** One value as written, with its references resolved. */
export interface Given {
  /** The name as written, which may be an alias or a nested path. */
  readonly writtenName: string;
  /** The text as written, before references are resolved. */
  readonly writtenText: string;
  readonly text: string;
  /** What Java reads in place of `writtenText`; absent when it reads the same. */
  readonly javaText?: string;
  readonly source: Source;
  readonly secret: boolean;
}

export interface Layers {
  readonly file: string | undefined;
  readonly entries: readonly PropertyEntry[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: Readonly<Record<string, string>>;
  readonly folder: string;
}

export interface Gathered {
  readonly given: ReadonlyMap<Key, Given>;
  /** Keys that have no effect here, except that the presence of some of them selects polling. */
  readonly ignored: ReadonlyMap<string, Given>;
  readonly problems: readonly ConfigProblem[];
  readonly notices: readonly ConfigNotice[];
}

interface Written {
  readonly name: string;
  readonly text: string;
  readonly javaText?: string;
  readonly source: Source;
}

export function gather(layers: Layers): Gathered {
  /** In order of precedence: the last one is used. */
  const writtenByKey = new Map<string, Written[]>();
  const problems: ConfigProblem[] = [];
  const notices: ConfigNotice[] = [];
  for (const written of [...fromFile(layers), ...fromEnvironment(layers), ...fromFlags(layers)]) {
    const key = canonicalName(written.name);
    if (!isKey(key) && !Object.hasOwn(ignoredKeys, key)) {
      reportUnknown(written, problems, notices);
      continue;
    }
    writtenByKey.set(key, [...(writtenByKey.get(key) ?? []), written]);
  }
  const given = new Map<Key, Given>();
  const ignored = new Map<string, Given>();
  for (const [key, all] of writtenByKey) {
    const [winner] = all.slice(-1);
    if (!winner) continue;
    const { name: writtenName, text: writtenText, javaText, source } = winner;
    const { text, secret, problems: unresolved } = resolveReferences(writtenText, layers);
    problems.push(...unresolved.map((message) => ({ source, key: writtenName, message })));
    const java = javaText === undefined ? {} : { javaText };
    const value: Given = { writtenName, writtenText, text, ...java, source, secret };
    if (isKey(key)) given.set(key, value);
    else ignored.set(key, value);
    const idle = isKey(key) ? withoutEffect(key) : ignoredNotice(key);
    const warnings = [...overruled(all), ...(isKey(key) ? hintsFor(key, writtenText) : [])];
    const remarks = warnings.map((message) => ({ level: "warning", message }) as const);
    for (const remark of [...(idle ? [idle] : []), ...remarks]) {
      notices.push({ ...remark, source, key: writtenName });
    }
  }
  return { given, ignored, problems, notices };
}

function fromFile({ file, entries }: Layers): Written[] {
  return entries.map(({ key, value, line, javaValue }) => ({
    name: key,
    text: value,
    ...(javaValue !== undefined && { javaText: javaValue }),
    source: { type: "file", file: file ?? "", line },
  }));
}

const KEYS_BY_ENVIRONMENT_NAME = new Map(
  [...allKeys, ...Object.keys(ignoredKeys)].map((key) => [environmentName(key), key]),
);

/**
 * Variables that a daemon sets for its children: not settings for a daemon that runs inside a
 * child.
 */
const SET_FOR_CHILDREN: ReadonlySet<string> = new Set(
  ["SHARD_ID", "WORKER_ID", "PROTOCOL_VERSION", "ATTEMPT"].map((name) => ENVIRONMENT_PREFIX + name),
);

/** A variable for one application comes after, and so overrides, one for all. */
function fromEnvironment(layers: Layers): Written[] {
  const { environment } = layers;
  const insideOfChild = environment[`${ENVIRONMENT_PREFIX}SHARD_ID`] !== undefined;
  const forAll: Written[] = [];
  const forOne: Written[] = [];
  for (const [variable, text] of Object.entries(environment)) {
    // Orchestrators unset a variable by making it empty.
    if (!variable.startsWith(ENVIRONMENT_PREFIX) || !text) continue;
    if (insideOfChild && SET_FOR_CHILDREN.has(variable)) continue;
    const { name, scope } = parseScope(variable);
    if (scope !== undefined && !isScopeOf(scope, applicationOf(layers))) continue;
    const key = KEYS_BY_ENVIRONMENT_NAME.get(name) ?? name;
    const written = { name: key, text, source: { type: "environment", name: variable } } as const;
    (scope === undefined ? forAll : forOne).push(written);
  }
  return [...forAll, ...forOne];
}

/** The name by which variables are scoped: `applicationName`, before any scoped variable. */
function applicationOf(layers: Layers): string {
  const { entries, environment, flags } = layers;
  const inFile = entries.findLast(({ key }) => key === "applicationName")?.value;
  const inEnvironment = environment[environmentName("applicationName")];
  const text = flags["applicationName"] ?? (inEnvironment || inFile);
  return text === undefined ? "" : resolveReferences(text, layers).text.trim();
}

function fromFlags({ flags }: Layers): Written[] {
  return Object.entries(flags).map(([name, text]) => ({
    name,
    text,
    source: { type: "flag", name: flagName(name) },
  }));
}

/**
 * Java ignores unknown names without a warning, except those below its clients, where it refuses to
 * start. We refuse the same names, and warn about the others.
 */
function reportUnknown(
  { name, source }: Written,
  problems: ConfigProblem[],
  notices: ConfigNotice[],
): void {
  const [client] = /^(kinesisClient|dynamoDbClient|cloudWatchClient)\./.exec(name) ?? [];
  const [provider] = /^(kinesis|dynamoDB|cloudWatch)CredentialsProvider\./.exec(name) ?? [];
  if (client !== undefined) {
    const message = `not supported; allowed: ${client}region, endpointOverride, dualstackEnabled, fipsEnabled`;
    problems.push({ source, key: name, message });
  } else if (provider !== undefined) {
    const message = "not supported; use AwsCredentialsProvider = NAME|ARGUMENT|… instead";
    problems.push({ source, key: name, message });
  } else {
    notices.push({ level: "warning", source, key: name, message: unknown(name, source) });
  }
}

function unknown(name: string, source: Source): string {
  const inEnvironment = source.type === "environment";
  const plain = inEnvironment ? name.slice(ENVIRONMENT_PREFIX.length).replaceAll("_", "") : name;
  const suggestion = suggestKey(plain);
  if (suggestion === undefined) return "unknown key, ignored";
  const meant = inEnvironment ? environmentName(suggestion) : suggestion;
  return `unknown key, ignored; did you mean ${meant}?`;
}

function ignoredNotice(key: string): Pick<ConfigNotice, "level" | "message"> {
  const { level, reason } = ignoredKeys[key] ?? { level: "warning", reason: "" };
  return { level, message: `has no effect: ${reason}` };
}

/**
 * Reports a key that is set more than once in a file. Java applies two names of a key in any order.
 */
function overruled(all: readonly Written[]): readonly string[] {
  const [winner, ...before] = all.toReversed();
  // A variable for one application overrides the one for all on purpose.
  const rivals = before
    .filter(({ source: { type } }) => type === winner?.source.type && type !== "environment")
    .reverse();
  const places = rivals.map(({ name, source }) => {
    const place = source.type === "file" ? `${source.line}` : formatSource(source);
    return name === winner?.name ? place : `${place} (as ${name})`;
  });
  if (places.length === 0) return [];
  const times = places.length === 1 ? "twice" : counted(places.length + 1, "time");
  const where = `${places.length === 1 ? "line" : "lines"} ${places.join(", ")}`;
  return [`set ${times}, in ${where} and here; this one is used`];
}
