// From a properties file, the environment and flags to settings, or to one error that lists everything wrong with them.

import { dirname } from "node:path";
import { ConfigError, type ConfigNotice, type ConfigProblem, type Source } from "./configError.ts";
import { type Given, gather } from "./given.ts";
import { Judge } from "./judge.ts";
import { allKeys, type Key } from "./keys.ts";
import { readPropertiesFile } from "./propertiesFile.ts";
import type { Settings } from "./settings.ts";

export interface ConfigInput {
  /** Path of the properties file; absent when everything comes from elsewhere. */
  readonly file?: string | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** KCL key → text. */
  readonly flags?: Readonly<Record<string, string>>;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** In the order of the file; to be told to the person at the start. */
  readonly warnings: readonly ConfigNotice[];
  /** Where each key's value was written. */
  readonly sources: Readonly<Record<Key, Source>>;
  /** The same values as text, for showing. */
  readonly given: ReadonlyMap<Key, Given>;
}

/** @throws ConfigError with all problems: unreadable file, values that do not parse, required keys that are missing. */
export function loadSettings(input: ConfigInput): LoadedSettings {
  const { file, environment = process.env, flags = {} } = input;
  const read = file === undefined ? undefined : readPropertiesFile(file);
  const folder = file === undefined ? "." : dirname(file);
  const entries = read?.entries ?? [];
  const gathered = gather({ file, entries, environment, flags, folder });
  const judge = new Judge(gathered, [...(read?.notices ?? []), ...gathered.notices]);
  judge.problems.push(...(read?.problems ?? []), ...gathered.problems);
  const settings = judge.settings();
  const notices = sorted(judge.notices);
  if (!settings || judge.problems.length > 0) {
    const warnings = notices.filter(({ level }) => level === "warning");
    throw new ConfigError(sorted(judge.problems), { warnings });
  }
  return {
    settings,
    warnings: notices,
    sources: sources(gathered.given),
    given: gathered.given,
  };
}

function sources(given: ReadonlyMap<Key, Given>): Record<Key, Source> {
  const found = allKeys.map((key): [Key, Source] => [
    key,
    given.get(key)?.source ?? { type: "default" },
  ]);
  return Object.fromEntries(found) as Record<Key, Source>;
}

/** By line, and what has none first. */
function sorted<T extends ConfigProblem>(problems: readonly T[]): T[] {
  const line = ({ source }: T) => (source?.type === "file" ? source.line : 0);
  return problems.toSorted((a, b) => line(a) - line(b));
}
