// Reads a line from a child strictly by the specification. The daemon tolerates more; a client that
// conforms strictly works with every daemon, including the Java one.

import type { DialectName } from "../model/dialect.ts";

/** A violation of a numbered sentence of protocol/README.md. */
export interface Fault {
  readonly sentence: string;
  readonly expected: string;
  readonly came: string;
}

interface StatusLine {
  readonly type: "status";
  readonly responseFor: string;
}

export interface CheckpointLine {
  readonly type: "checkpoint";
  readonly sequenceNumber: string | null;
  readonly subSequenceNumber: number | null;
  /** The field of the sequence number was named `checkpoint`. */
  readonly byFirstName: boolean;
}

export type ChildLine =
  | StatusLine
  | CheckpointLine
  | { readonly type: "log" }
  /** Not a message: the line is skipped and reported. */
  | { readonly type: "noise" }
  | { readonly type: "fault"; readonly fault: Fault };

/** @param dialect KCL 1.x lets a child call a sequence number `checkpoint`. */
export function readChildLine(line: string, dialect: DialectName): ChildLine {
  if (line.trim() === "") return { type: "noise" };
  const message = parseObject(line);
  if (!message) return { type: "noise" };
  const { action, message: logText } = message;
  if (typeof action !== "string") return { type: "noise" };
  switch (action) {
    case "status":
      return readStatus(message, line);
    case "checkpoint":
      return readCheckpoint(message, line, dialect);
    case "log":
      return typeof logText === "string"
        ? { type: "log" }
        : fault("X3", "a log message with level and message", line);
    default:
      return fault("V2", "an action: status, checkpoint or log", line);
  }
}

function readStatus(message: Readonly<Record<string, unknown>>, line: string): ChildLine {
  const { responseFor, ...more } = message;
  if (typeof responseFor !== "string") return fault("M9", "a status with responseFor", line);
  if (Object.keys(more).length > 1) return fault("M12", "a status without other fields", line);
  return { type: "status", responseFor };
}

function readCheckpoint(
  message: Readonly<Record<string, unknown>>,
  line: string,
  dialect: DialectName,
): ChildLine {
  const { action: _, error: __, ...fields } = message;
  const byFirstName = dialect === "kcl1" && Object.hasOwn(fields, "checkpoint");
  const { [byFirstName ? "checkpoint" : "sequenceNumber"]: sequenceNumber = null, ...others } =
    fields;
  const { subSequenceNumber = null, ...more } = others;
  if (Object.keys(more).length > 0) return fault("M12", "a checkpoint without other fields", line);
  if (sequenceNumber !== null && typeof sequenceNumber !== "string") {
    return fault("M10", "a sequence number as text", line);
  }
  if (subSequenceNumber !== null && !isCount(subSequenceNumber)) {
    return fault("M10", "a sub-sequence number that is an integer from 0", line);
  }
  return { type: "checkpoint", sequenceNumber, subSequenceNumber, byFirstName };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function fault(sentence: string, expected: string, line: string): ChildLine {
  return { type: "fault", fault: { sentence, expected, came: brief(line) } };
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** A line, shortened for a report. */
export function brief(line: string): string {
  return line.length <= 200 ? line : `${line.slice(0, 200)}… (${line.length} characters)`;
}
