// Events as log lines on STDERR: JSON for machines, short text for a terminal. One line per change of state;
// what happens with every batch is `debug`.

import type { Emit, Event } from "./events.ts";
import { describe, type Level } from "./logLines.ts";
import { redact } from "./redact.ts";

export type LogLevel = Level | "silent";
export type LogFormat = "json" | "text";

const ORDER = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, silent: 5 } satisfies Record<
  LogLevel,
  number
>;

export const LOG_LEVELS = Object.keys(ORDER) as LogLevel[];

interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly now: () => number;
  readonly write: (line: string) => void;
}

/** A listener that writes each event of at least `level` as one line. */
export function logEvents({ level, format, now, write }: LogOptions): Emit {
  const lowest = ORDER[level];
  const render = format === "json" ? jsonLine : textLine;
  return (event) => {
    const line = describe(event);
    if (ORDER[line.level] >= lowest) write(render(event, line, now()));
  };
}

interface Described {
  readonly level: Level;
  readonly message: string;
}

function jsonLine(event: Event, { level, message }: Described, now: number): string {
  const { type, ...fields } = event;
  const line = { time: new Date(now).toISOString(), level, event: type, message };
  // The line comes first, and its sentence stays where an event has a message of its own, which the sentence contains.
  return `${JSON.stringify({ ...line, ...fields, ...line }, plain)}\n`;
}

/** Errors have no enumerable properties of their own; their name, message and causes are what counts. */
function plain(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return typeof value === "bigint" ? value.toString() : value;
  return {
    name: value.name,
    message: redact(value.message),
    ...(value.cause ? { cause: value.cause } : {}),
  };
}

function textLine(event: Event, { level, message }: Described, now: number): string {
  const time = new Date(now).toISOString().slice(11, 23);
  const shard = "shardId" in event && event.shardId ? `${event.shardId} ` : "";
  return `${time} ${level.toUpperCase().padEnd(5)} ${shard}${message}\n`;
}
