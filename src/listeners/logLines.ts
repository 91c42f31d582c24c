// How each event reads in the log, and at which level. An event that has no line does not compile.
// The lines are in lines/, one file for each subject.

import type { Event } from "../events.ts";
import { CALL_LINES } from "./lines/callLines.ts";
import { CHILD_LINES } from "./lines/childLines.ts";
import { DAEMON_LINES } from "./lines/daemonLines.ts";
import { LEASE_LINES } from "./lines/leaseLines.ts";
import type { Line, LineLevel, LinesOf } from "./lines/line.ts";
import { PRODUCER_LINES } from "./lines/producerLines.ts";
import { SHARD_LINES } from "./lines/shardLines.ts";
import { STREAM_LINES } from "./lines/streamLines.ts";

/** The parts of the daemon whose log levels can be set one by one. */
const COMPONENTS = {
  daemon: DAEMON_LINES,
  leases: LEASE_LINES,
  stream: STREAM_LINES,
  child: CHILD_LINES,
  shard: SHARD_LINES,
  producer: PRODUCER_LINES,
  calls: CALL_LINES,
};

export type Component = keyof typeof COMPONENTS;

export const LOG_COMPONENTS = Object.keys(COMPONENTS) as Component[];

const COMPONENT_OF: ReadonlyMap<string, Component> = new Map(
  LOG_COMPONENTS.flatMap((name) =>
    Object.keys(COMPONENTS[name]).map((type): [string, Component] => [type, name]),
  ),
);

export function componentOf({ type }: Event): Component {
  return COMPONENT_OF.get(type) ?? "daemon";
}

const LINES: LinesOf<Event> = {
  ...DAEMON_LINES,
  ...LEASE_LINES,
  ...STREAM_LINES,
  ...CHILD_LINES,
  ...SHARD_LINES,
  ...PRODUCER_LINES,
  ...CALL_LINES,
};

/** The level and the message of an event. */
export function describe(event: Event): { readonly level: LineLevel; readonly message: string } {
  const [, message] = lineOf(event);
  return { level: levelOf(event), message: message(event) };
}

export function levelOf(event: Event): LineLevel {
  const [level] = lineOf(event);
  return typeof level === "function" ? level(event) : level;
}

function lineOf(event: Event): Line<Event> {
  // The table's type pairs each event with its line, which TypeScript cannot follow through an
  // index.
  return LINES[event.type] as Line<Event>;
}
