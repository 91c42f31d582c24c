// What the user gives as `--to`: a moment of the stream, or a record of one shard.

import { UserError } from "../model/errors.ts";
import { formatPosition, type Position, parsePosition } from "../model/position.ts";

export type StartingPoint =
  | { readonly type: "trim-horizon" }
  | { readonly type: "latest" }
  | { readonly type: "time"; readonly timeMs: number }
  /** This record, and all records before it, count as processed. */
  | { readonly type: "record"; readonly position: Position };

const FORMS =
  "trim-horizon; latest; a time such as 2026-11-23T10:15:00Z, 2026-11-23T11:15:00+01:00 or 1795428900 (seconds or milliseconds since 1970); " +
  "or the sequence number of the last processed record, with #N for a record inside a KPL aggregate";

/**
 * These limits tell times from sequence numbers, which have 56 digits on AWS and at least 20
 * elsewhere.
 */
const MAX_SECONDS_DIGITS = 10;
const MAX_MILLIS_DIGITS = 13;
const MIN_SEQUENCE_DIGITS = 20;

/** @throws UserError when the text is none of these, or a time in the future. */
export function parseStartingPoint(text: string, nowMs: number): StartingPoint {
  const word = text.trim().toLowerCase().replaceAll("_", "-");
  if (word === "trim-horizon" || word === "latest") return { type: word };
  const record = recordOf(text.trim());
  if (record) return { type: "record", position: record };
  const timeMs = timeOf(text.trim());
  if (timeMs === undefined) throw new UserError(`--to ${text} is not valid. Allowed: ${FORMS}.`);
  if (timeMs > nowMs) {
    const time = new Date(timeMs).toISOString();
    throw new UserError(
      `--to ${text}: the time ${time} is in the future. For the present moment use --to latest.`,
    );
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
  // A time without a zone would mean another moment on another machine, so it is rejected.
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/i.test(text)) {
    return undefined;
  }
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** As text: `trim-horizon`, `2026-11-23T10:15:00.000Z`. */
export function startingPointText(point: StartingPoint): string {
  switch (point.type) {
    case "time":
      return new Date(point.timeMs).toISOString();
    case "record":
      return formatPosition(point.position);
    default:
      return point.type;
  }
}
