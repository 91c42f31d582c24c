// Where a setting came from, and the one error that lists everything wrong with a configuration.

import { UserError } from "../model/errors.ts";
import { counted } from "../plural.ts";

/** Where a setting's value was written. */
export type Source =
  | { readonly type: "flag"; readonly name: string }
  | { readonly type: "environment"; readonly name: string }
  | { readonly type: "file"; readonly file: string; readonly line: number }
  | { readonly type: "default" };

export interface ConfigProblem {
  /** Absent when nothing was written where something must be. */
  readonly source?: Source;
  readonly key?: string;
  /** What was found and what is allowed; holds no secret. */
  readonly message: string;
}

/** Something that works, but perhaps not as the person thinks (`warning`), or that is merely good to know (`info`). */
export interface ConfigNotice extends ConfigProblem {
  readonly level: "warning" | "info";
}

interface ConfigErrorOptions extends ErrorOptions {
  /** Warnings may explain a problem: they are shown with it. */
  readonly warnings?: readonly ConfigNotice[];
}

/** All problems of a configuration at once, and the warnings beside them. */
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
