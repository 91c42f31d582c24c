// What a person means by `--to`: a moment in the stream, or a record of one shard.

import { UserError } from "../model/errors.ts";
import { formatPosition, type Position, parsePosition } from "../model/position.ts";

export type Destination =
  | { readonly type: "trim-horizon" }
  | { readonly type: "latest" }
  | { readonly type: "time"; readonly timeMs: number }
  /** The record counts as processed, with all before it. */
  | { readonly type: "record"; readonly position: Position };

const FORMS =
  "trim-horizon; latest; a time such as 2026-11-23T10:15:00Z, 2026-11-23T11:15:00+01:00 or 1795428900 (seconds or milliseconds since 1970); " +
  "or the sequence number of a record that counts as processed, with #N for a record inside an aggregate";

/** Sequence numbers are far longer: 56 digits on AWS, at least 20 elsewhere. */
const MAX_SECONDS_DIGITS = 10;
const MAX_MILLIS_DIGITS = 13;
const MIN_SEQUENCE_DIGITS = 20;

/** @throws UserError when it is none of these, or a time to come. */
export function parseDestination(text: string, nowMs: number): Destination {
  const word = text.trim().toLowerCase().replaceAll("_", "-");
  if (word === "trim-horizon" || word === "latest") return { type: word };
  const record = recordOf(text.trim());
  if (record) return { type: "record", position: record };
  const timeMs = timeOf(text.trim());
  if (timeMs === undefined) throw new UserError(`--to ${text}: not understood. Allowed: ${FORMS}.`);
  if (timeMs > nowMs) {
    const time = new Date(timeMs).toISOString();
    throw new UserError(`--to ${text}: ${time} is yet to come; --to latest means this moment.`);
  }
  return { type: "time", timeMs };
}

function recordOf(text: string): Position | undefined {
  const [, digits = "", sub = "0"] = /^(\d+)(?:#(\d+))?$/.exec(text) ?? [];
  return digits.length < MIN_SEQUENCE_DIGITS ? undefined : parsePosition(digits, Number(sub));
}

function timeOf(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) {
    const digits = text.split(".")[0]?.length ?? 0;
    if (digits <= MAX_SECONDS_DIGITS) return Math.round(Number(text) * 1_000);
    return digits <= MAX_MILLIS_DIGITS ? Math.round(Number(text)) : undefined;
  }
  // A time without a zone would mean another moment on another machine.
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/i.test(text)) {
    return undefined;
  }
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** As in a heading: `trim-horizon`, `2026-11-23T10:15:00.000Z`. */
export function describeDestination(destination: Destination): string {
  switch (destination.type) {
    case "time":
      return new Date(destination.timeMs).toISOString();
    case "record":
      return formatPosition(destination.position);
    default:
      return destination.type;
  }
}
