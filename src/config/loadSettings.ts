// Loads the settings from a properties file, the environment and flags, or throws one error that
// lists all problems.

import { dirname } from "node:path";
import { ConfigError, type ConfigNotice, type ConfigProblem, type Source } from "./configError.ts";
import { type Given, gather } from "./given.ts";
import { allKeys, type Key } from "./keys.ts";
import { readPropertiesFile } from "./propertiesFile.ts";
import type { PropertyEntry } from "./propertiesText.ts";
import type { Settings } from "./settings.ts";
import { Validation } from "./validation.ts";

export interface ConfigInput {
  /** Path of the properties file; absent when there is none. */
  readonly file?: string | undefined;
  /** What to use of the file; all its entries when absent. */
  readonly entries?: readonly PropertyEntry[];
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** KCL key → text. */
  readonly flags?: Readonly<Record<string, string>>;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** In the order of the file. The daemon logs them at the start. */
  readonly warnings: readonly ConfigNotice[];
  /** Where the value of each key was written. */
  readonly sources: Readonly<Record<Key, Source>>;
  /** The values as text, for display. */
  readonly given: ReadonlyMap<Key, Given>;
}

/**
 * @throws ConfigError with all problems: an unreadable file, wrong values, missing required keys.
 */
export function loadSettings(input: ConfigInput): LoadedSettings {
  const { file, environment = process.env, flags = {} } = input;
  const read = file === undefined ? undefined : readPropertiesFile(file);
  const folder = file === undefined ? "." : dirname(file);
  const entries = input.entries ?? read?.entries ?? [];
  const gathered = gather({ file, entries, environment, flags, folder });
  const validation = new Validation(gathered, [...(read?.notices ?? []), ...gathered.notices]);
  validation.problems.push(...(read?.problems ?? []), ...gathered.problems);
  const settings = validation.settings();
  const notices = sorted(validation.notices);
  if (!settings || validation.problems.length > 0) {
    const warnings = notices.filter(({ level }) => level === "warning");
    throw new ConfigError(sorted(validation.problems), { warnings });
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

/** Sorts by line; what has no line comes first. */
function sorted<T extends ConfigProblem>(problems: readonly T[]): T[] {
  const line = ({ source }: T) => (source?.type === "file" ? source.line : 0);
  return problems.toSorted((a, b) => line(a) - line(b));
}
