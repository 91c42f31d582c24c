// The form of a log line of an event, and the phrases that several lines share.

import type { Event } from "../../events.ts";
import { formatPosition, type Position } from "../../model/position.ts";

export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** `silent`: not logged at any level. */
export type LineLevel = Level | "silent";

export type Line<E extends Event> = readonly [
  level: LineLevel | ((event: E) => LineLevel),
  message: (event: E) => string,
];

/** One line for each event of a group. A group with an event that has no line does not compile. */
export type LinesOf<Group extends Event> = {
  readonly [Type in Group["type"]]: Line<Extract<Group, { readonly type: Type }>>;
};

/** The error as a sentence. */
export function reason(error: unknown): string {
  return sentence(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}

/** The text with a full stop, unless it ends with one. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/** Whole seconds, with the unit. */
export function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}

/** Whole milliseconds, with the unit. */
export function milliseconds(ms: number): string {
  return `${Math.round(ms)} ms`;
}

/** `FIRST to LAST`. */
export function range({
  first,
  last,
}: {
  readonly first?: Position | undefined;
  readonly last?: Position | undefined;
}): string {
  return `${first ? formatPosition(first) : "?"} to ${last ? formatPosition(last) : "?"}`;
}
