// Loads the settings of a producer from a properties file and flags, or throws one error that lists
// all problems. Files of the KPL are accepted as they are, including the sample that it ships, in
// which a line ends in a semicolon.

import { nearest } from "../../nearest.ts";
import { ConfigError, type ConfigNotice, type ConfigProblem, type Source } from "../configError.ts";
import { type CredentialsProvider, parseCredentialsProviders } from "../credentialsProvider.ts";
import { readPropertiesFile } from "../propertiesFile.ts";
import type { ServiceSettings } from "../settings.ts";
import { endpoint } from "../values.ts";
import {
  ignoredProducerKeys,
  type ProducerKey,
  type ProducerValues,
  producerKeys,
  producerSchema,
} from "./producerKeys.ts";

export interface ProducerInput {
  readonly file?: string | undefined;
  /** Our key → text; they override the file. */
  readonly flags?: Readonly<Partial<Record<ProducerKey, string>>>;
}

export interface LoadedProducer {
  readonly values: ProducerValues & { readonly onPermanentError: "fail" | "wait" };
  readonly service: ServiceSettings;
  readonly cloudwatch: ServiceSettings;
  readonly warnings: readonly ConfigNotice[];
  /** Where each key was written; keys with their default are absent. */
  readonly sources: ReadonlyMap<ProducerKey, Source>;
}

interface Given {
  readonly name: string;
  readonly text: string;
  readonly source: Source;
}

/** @throws ConfigError with all problems. */
export function loadProducer({ file, flags = {} }: ProducerInput): LoadedProducer {
  const read = file === undefined ? undefined : readPropertiesFile(file);
  const problems: ConfigProblem[] = [...(read?.problems ?? [])];
  const warnings: ConfigNotice[] = [...(read?.notices ?? [])];
  const given = new Map<ProducerKey, Given>();
  for (const { key: name, value: text, line } of read?.entries ?? []) {
    const source: Source = { type: "file", file: file ?? "", line };
    const key = keyOf(name);
    if (key) given.set(key, { name, text: withoutSemicolon(name, text, source, warnings), source });
    else warnings.push({ level: "warning", source, key: name, message: whyUnused(name) });
  }
  for (const [key, text] of Object.entries(flags)) {
    const name = key as ProducerKey;
    given.set(name, { name, text, source: { type: "flag", name: `--${key}` } });
  }
  const values = valuesOf(given, problems);
  const onPermanentError = values.onPermanentError ?? (values.spill ? "wait" : "fail");
  if (values.spill && values.onPermanentError === "fail") {
    const message = "with spill, accepted records are never given up: use wait, or remove spill";
    problems.push(problemAt(given, "onPermanentError", message));
  }
  const common = commonOf(values, given, problems, warnings);
  const { kinesisEndpoint, kinesisPort, cloudwatchEndpoint, cloudwatchPort } = values;
  const endpointOf = (key: ProducerKey, host: string | undefined, port: number | undefined) => {
    const url = host && urlOf(host.trim(), port);
    const checked = endpoint().safeParse(url ?? "");
    if (checked.success || !url)
      return checked.data === undefined ? {} : { endpoint: checked.data };
    const allowed = `a host name, or ${endpoint().description}`;
    problems.push(problemAt(given, key, `found "${host}"; allowed: ${allowed}`));
    return {};
  };
  const service = { ...common, ...endpointOf("kinesisEndpoint", kinesisEndpoint, kinesisPort) };
  const cloudwatch = {
    ...common,
    ...endpointOf("cloudwatchEndpoint", cloudwatchEndpoint, cloudwatchPort),
  };
  if (problems.length > 0) {
    throw new ConfigError(
      problems.toSorted((a, b) => lineOf(a) - lineOf(b)),
      { warnings },
    );
  }
  const sources = new Map([...given].map(([key, { source }]) => [key, source]));
  return { values: { ...values, onPermanentError }, service, cloudwatch, warnings, sources };
}

/** The KPL's name of a key. */
function pascal(key: string): string {
  return key.charAt(0).toUpperCase() + key.slice(1);
}

function keyOf(name: string): ProducerKey | undefined {
  return producerKeys.find((key) => key === name || pascal(key) === name);
}

/** Whether a producer knows the key, or the KPL does. */
export function isProducerName(name: string): boolean {
  return keyOf(name) !== undefined || Object.hasOwn(ignoredProducerKeys, pascal(name));
}

function whyUnused(name: string): string {
  const reason = ignoredProducerKeys[pascal(name)];
  if (reason !== undefined) return `has no effect: ${reason}`;
  const known = [...producerKeys.map(pascal), ...producerKeys];
  const meant = nearest(name, known);
  return `unknown key, ignored${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}

/** The KPL's sample file has `MaxUserRecordSize = 1048576;`. */
function withoutSemicolon(
  key: string,
  text: string,
  source: Source,
  warnings: ConfigNotice[],
): string {
  if (!/^\s*\w+\s*;\s*$/.test(text)) return text;
  const message = "the semicolon at the end is ignored; the KPL refuses to start with it";
  warnings.push({ level: "warning", source, key, message });
  return text.replace(/;\s*$/, "");
}

function valuesOf(
  given: ReadonlyMap<ProducerKey, Given>,
  problems: ConfigProblem[],
): ProducerValues {
  const texts = Object.fromEntries([...given].map(([key, { text }]) => [key, text]));
  const parsed = producerSchema.safeParse(texts);
  if (parsed.success) return parsed.data;
  for (const { path, message } of parsed.error.issues) {
    const key = path[0] as ProducerKey;
    problems.push(problemAt(given, key, `found "${given.get(key)?.text}"; allowed: ${message}`));
    delete texts[key];
  }
  return producerSchema.parse(texts);
}

function problemAt(
  given: ReadonlyMap<ProducerKey, Given>,
  key: ProducerKey,
  message: string,
): ConfigProblem {
  const { name = key, source } = given.get(key) ?? {};
  return { key: name, message, ...(source && { source }) };
}

/** What Kinesis and CloudWatch have in common. */
function commonOf(
  { region, AwsCredentialsProvider }: ProducerValues,
  given: ReadonlyMap<ProducerKey, Given>,
  problems: ConfigProblem[],
  warnings: ConfigNotice[],
): ServiceSettings {
  let credentials: readonly CredentialsProvider[] = [{ type: "default" }];
  if (AwsCredentialsProvider !== undefined) {
    const parsed = parseCredentialsProviders(AwsCredentialsProvider);
    credentials = parsed.providers;
    for (const problem of parsed.problems) {
      problems.push(problemAt(given, "AwsCredentialsProvider", problem));
    }
    for (const message of parsed.warnings) {
      warnings.push({ level: "warning", ...problemAt(given, "AwsCredentialsProvider", message) });
    }
  }
  return { credentials, ...(region !== undefined && { region }) };
}

function lineOf({ source }: ConfigProblem): number {
  return source?.type === "file" ? source.line : 0;
}

/** The KPL's endpoint is a host name, which it reaches by TLS. Ours may be a URL. */
function urlOf(text: string, port = 443): string {
  return /^https?:\/\//i.test(text) ? text : `https://${text}:${port}`;
}
