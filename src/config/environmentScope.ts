// Environment variables for one application of several: `KINESIS_MULTILANG_MAX_RECORDS__WORD_COUNT`
// sets maxRecords for the application word-count. A shell allows only letters, digits and `_` in
// names, so every other character of the application's name is written as `_`, in any case.

import type { ConfigNotice } from "./configError.ts";
import { ENVIRONMENT_PREFIX } from "./names.ts";

const SEPARATOR = "__";

export interface ScopedName {
  /** The variable without its scope. */
  readonly name: string;
  /** The application that the variable is for; absent: every application. */
  readonly scope?: string;
}

export function parseScope(variable: string): ScopedName {
  const at = variable.indexOf(SEPARATOR, ENVIRONMENT_PREFIX.length);
  if (!variable.startsWith(ENVIRONMENT_PREFIX) || at < 0) return { name: variable };
  return { name: variable.slice(0, at), scope: variable.slice(at + SEPARATOR.length) };
}

export function isScopeOf(scope: string, application: string): boolean {
  return normal(scope) === normal(application);
}

/** Variables for an application that does not run in this process. */
export function unusedScopes(
  applications: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): readonly ConfigNotice[] {
  return Object.keys(environment).flatMap((name): ConfigNotice[] => {
    const { scope } = parseScope(name);
    if (scope === undefined || applications.some((each) => isScopeOf(scope, each))) return [];
    const message = `not used: no application of this daemon is named ${scope} (found: ${applications.join(", ")})`;
    return [{ level: "warning", key: name, source: { type: "environment", name }, message }];
  });
}

function normal(name: string): string {
  return name.replace(/[^a-zA-Z0-9]/g, "_").toUpperCase();
}
