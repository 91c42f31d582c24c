// Writes events as log lines to STDERR: JSON for machines, short text for a terminal. One line for
// each change of state; events of every batch are `debug`.

import type { Emit, Event, Origin } from "../events.ts";
import { parseStreamShard } from "../model/shardKey.ts";
import { redact } from "../redact.ts";
import type { Level, LineLevel } from "./lines/line.ts";
import { type Component, componentOf, describe, levelOf } from "./logLines.ts";
import { Repeats } from "./repeats.ts";
import { SeenOutput } from "./seenOutput.ts";

export type LogLevel = Level | "silent";
export type LogFormat = "json" | "text";

const ORDER = { trace: 0, debug: 1, info: 2, warn: 3, error: 4, silent: 5 } satisfies Record<
  LogLevel,
  number
>;

export const LOG_LEVELS = Object.keys(ORDER) as LogLevel[];

export interface LogOptions {
  /** Read at each event: the caller may change it at any time. */
  level: LogLevel;
  /** The levels of components that differ from `level`. The caller may change them, too. */
  readonly levels?: Map<Component, LogLevel>;
  readonly format: LogFormat;
  readonly now: () => number;
  readonly write: (line: string) => void;
}

/** A listener that writes each event of at least `level` as one line. */
export function logEvents(options: LogOptions): Emit {
  const { format, now, write } = options;
  const render = format === "json" ? jsonLine : textLine;
  const seen = new SeenOutput();
  const repeats = new Repeats();
  return (happened) => {
    const levelFor = (component: Component) => options.levels?.get(component) ?? options.level;
    const lowest = ORDER[levelFor(componentOf(happened))];
    const showsOutput = ORDER[levelFor("child")] <= ORDER[CHILD_OUTPUT_LEVEL];
    seen.saw(happened);
    const level = levelOf(happened);
    if (level === "silent" || ORDER[level] < lowest) return;
    if (!repeats.admits(happened, now())) return;
    const event = apart(showsOutput ? unquoted(happened, seen) : happened);
    write(render(event, describe(event), now()));
  };
}

/** The level of `childOutput` in lines/childLines.ts. */
const CHILD_OUTPUT_LEVEL = "info" satisfies Level;

/** Where an application reads several streams: the stream and the shard as two fields. */
function apart(event: Event & Origin): Event & Origin {
  if (!("shardId" in event) || event.shardId === undefined) return event;
  const { streamName, shardId } = parseStreamShard(event.shardId) ?? {};
  return streamName === undefined || shardId === undefined
    ? event
    : { ...event, streamName, shardId };
}

function unquoted(event: Event, seen: SeenOutput): Event {
  if (event.type !== "childFailed") return event;
  const error = seen.unquoted(event.error);
  return error instanceof Error ? { ...event, error } : event;
}

interface Described {
  readonly level: LineLevel;
  readonly message: string;
}

function jsonLine(event: Event, { level, message }: Described, now: number): string {
  const { type, ...fields } = event;
  const line = { time: new Date(now).toISOString(), level, event: type, message };
  // The fields of the line come first. `line` is repeated because an event may have a `message` of
  // its own, which the message of the line already contains.
  return `${JSON.stringify({ ...line, ...fields, ...line }, plain)}\n`;
}

/**
 * A value as it may be written, without secrets. Errors have no enumerable properties, so their
 * name, message and cause are written.
 */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === "string") return redact(value);
  if (!(value instanceof Error)) return typeof value === "bigint" ? value.toString() : value;
  return {
    name: value.name,
    message: value.message,
    ...(value.cause ? { cause: value.cause } : {}),
  };
}

function textLine(event: Event & Origin, { level, message }: Described, now: number): string {
  const time = new Date(now).toISOString().slice(11, 23);
  const application = event.application ? `${event.application} ` : "";
  const stream = event.streamName && event.type !== "daemonStarted" ? `${event.streamName} ` : "";
  const shard = "shardId" in event && event.shardId ? `${event.shardId} ` : "";
  const lane = event.lane === undefined ? "" : `lane ${event.lane} `;
  const origin = `${application}${stream}${shard}${lane}`;
  return redact(`${time} ${level.toUpperCase().padEnd(5)} ${origin}${message}
`);
}
