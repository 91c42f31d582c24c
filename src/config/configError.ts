// Where a setting came from, and the one error that lists everything wrong with a configuration.

import { UserError } from "../model/errors.ts";

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

/** All problems of a configuration at once. */
export class ConfigError extends UserError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[], options?: ErrorOptions) {
    const [only] = problems;
    const lines = problems.map((problem) => `\n  ${formatProblem(problem)}`);
    super(
      problems.length === 1 && only
        ? formatProblem(only)
        : `the configuration has ${problems.length} problems:${lines.join("")}`,
      options,
    );
    this.problems = problems;
  }
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
