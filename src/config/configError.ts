// Where a setting was written, and the one error that lists all problems of a configuration.

import { UserError } from "../model/errors.ts";
import { counted } from "../plural.ts";

/** Where a setting's value was written. */
export type Source =
  | { readonly type: "flag"; readonly name: string }
  | { readonly type: "environment"; readonly name: string }
  | { readonly type: "file"; readonly file: string; readonly line: number }
  | { readonly type: "default" };

export interface ConfigProblem {
  /** Absent when a required key was written nowhere. */
  readonly source?: Source;
  readonly key?: string;
  /** What was found and what is allowed. It never contains a secret. */
  readonly message: string;
}

/** A setting that may not do what the user expects (`warning`), or a remark about it (`info`). */
export interface ConfigNotice extends ConfigProblem {
  readonly level: "warning" | "info";
}

interface ConfigErrorOptions extends ErrorOptions {
  /** Shown with the problems, because a warning may explain one of them. */
  readonly warnings?: readonly ConfigNotice[];
}

/** All problems of a configuration at once, with its warnings. */
export class ConfigError extends UserError {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigNotice[];

  constructor(
    problems: readonly ConfigProblem[],
    { warnings = [], ...options }: ConfigErrorOptions = {},
  ) {
    super(formatAll(problems, warnings), options);
    this.problems = problems;
    this.warnings = warnings;
  }
}

function formatAll(problems: readonly ConfigProblem[], warnings: readonly ConfigNotice[]): string {
  const [only] = problems;
  if (problems.length === 1 && only && warnings.length === 0) return formatProblem(only);
  const beside = warnings.length > 0 ? ` and ${counted(warnings.length, "warning")}` : "";
  return [
    `the configuration has ${counted(problems.length, "problem")}${beside}:`,
    ...problems.map((problem) => `  ${formatProblem(problem)}`),
    ...warnings.map((warning) => `  warning: ${formatProblem(warning)}`),
  ].join("\n");
}

/** `words.properties:12: maxRecords: found "abc"; allowed: …` */
export function formatProblem({ source, key, message }: ConfigProblem): string {
  const parts = [source && formatSource(source), key, message];
  return parts.filter((part) => part !== undefined).join(": ");
}

export function formatSource(source: Source): string {
  switch (source.type) {
    case "file":
      return `${source.file}:${source.line}`;
    case "environment":
      return `environment ${source.name}`;
    case "flag":
      return source.name;
    case "default":
      return "default";
  }
}
