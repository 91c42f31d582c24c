// Parses the values of options.

import { InvalidArgumentError, Option } from "commander";
import type { IdleTime } from "./latency.ts";

export function counts(flags: string, description: string, defaults: readonly number[]): Option {
  const values: number[] = [];
  return new Option(flags, description).default(defaults, defaults.join(" ")).argParser((text) => {
    values.push(parseCount(text));
    return values;
  });
}

export function count(flags: string, description: string, byDefault: number): Option {
  return new Option(flags, description).default(byDefault).argParser(parseCount);
}

function parseCount(text: string): number {
  const value = Number(text.replaceAll("_", ""));
  if (Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError("Expected a whole number.");
}

export function property(text: string, before: Readonly<Record<string, string>>) {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected KEY=VALUE.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

export function idleTimes(defaults: readonly IdleTime[]): Option {
  const values: IdleTime[] = [];
  return new Option("--idle <ms...>", "idleTimeBetweenReadsInMillis, or default")
    .default(defaults, defaults.join(" "))
    .argParser((text) => {
      values.push(text === "default" ? text : parseCount(text));
      return values;
    });
}

export function choices(
  flags: string,
  description: string,
  all: readonly string[],
  defaults: readonly string[],
): Option {
  return new Option(flags, description).choices(all).default(defaults, defaults.join(" "));
}
