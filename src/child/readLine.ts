// Decides what a line on a child's STDOUT says, as tolerantly as the Java daemon: a child may print what is no message,
// write numbers where text is due, or go on after the message. Beyond it, unknown properties do no harm.

import { type ChildMessage, childMessage, LOG_LEVELS } from "./messages.ts";

export type ReadLine =
  | {
      readonly type: "message";
      readonly message: ChildMessage;
      /** Properties that the message should not have; they are ignored. */
      readonly unknownKeys: readonly string[];
    }
  | { readonly type: "blank" }
  /** JSON with an action that is none of a child's, or that lacks what the action needs. */
  | { readonly type: "notForUs"; readonly why: string }
  /** `looksLike`: the line holds a message that does not count, because it is not what the line begins with. */
  | { readonly type: "junk"; readonly looksLike?: string };

const KNOWN_KEYS: Record<ChildMessage["action"], readonly string[]> = {
  status: ["action", "responseFor"],
  // `error` belongs to the answer, `checkpoint` is what KCL before 1.7.2 called the sequence number.
  checkpoint: ["action", "sequenceNumber", "subSequenceNumber", "error", "checkpoint"],
  log: ["action", "level", "message"],
};

/** What of a message is looked at, before it is known to be one. */
interface Raw {
  readonly action?: unknown;
  readonly responseFor?: unknown;
  readonly sequenceNumber?: unknown;
  readonly subSequenceNumber?: unknown;
  readonly checkpoint?: unknown;
  readonly level?: unknown;
  readonly message?: unknown;
}

export function readLine(line: string): ReadLine {
  if (line === "") return { type: "blank" };
  const text = objectAtStart(withoutMark(line));
  const raw = text === undefined ? undefined : parseObject(text);
  if (text === undefined || raw === undefined) return junk(line);
  const action = raw.action;
  if (typeof action !== "string") return { type: "notForUs", why: "it has no action" };
  if (!Object.hasOwn(KNOWN_KEYS, action)) {
    return { type: "notForUs", why: `a child does not say "${shorten(action)}"` };
  }
  const parsed = childMessage.safeParse(coerced(raw, text));
  if (!parsed.success) {
    return { type: "notForUs", why: shorten(parsed.error.issues.map(describeIssue).join("; ")) };
  }
  const known = KNOWN_KEYS[parsed.data.action];
  const unknownKeys = Object.keys(raw).filter((key) => !known.includes(key));
  return { type: "message", message: parsed.data, unknownKeys };
}

/** Some libraries begin what they write with a byte order mark; it means nothing. */
function withoutMark(line: string): string {
  return line.charCodeAt(0) === BYTE_ORDER_MARK ? line.slice(1) : line;
}

const BYTE_ORDER_MARK = 0xfeff;

/** In double, single or escaped quotes: as a logger, Python's `print` of a dict or a second encoding would write it. */
const ACTION = /\\?["']action\\?["']\s*:\s*\\?["'](status|checkpoint)\b/;

/** What makes of a message no message. */
function junk(line: string): ReadLine {
  if (!ACTION.test(line)) return { type: "junk" };
  return { type: "junk", looksLike: whatIsWrong(line) };
}

function whatIsWrong(line: string): string {
  const brace = line.indexOf("{");
  const before = brace < 0 ? "" : withoutMark(line.slice(0, brace)).trim();
  if (brace < 0) return "a message that is spread over several lines; write it on one";
  if (/^["']$/.test(before))
    return "a message that was encoded twice; write the object, not its text";
  if (before === "[") return "a list of messages; write each on a line of its own";
  if (before !== "") {
    return `a message behind other text (${JSON.stringify(shorten(before))}), as a logger writes it; a message begins its line: write it to STDOUT itself`;
  }
  if (/['"]action['"]/.exec(line)?.[0].startsWith("'")) {
    return "a message in single quotes, which is no JSON; print it with a JSON encoder";
  }
  return "a message that is no valid JSON; write it whole on one line";
}

/** The object that a line begins with, without what follows it; `undefined` when there is none. */
function objectAtStart(line: string): string | undefined {
  const start = /^[ \t]*\{/.exec(line)?.[0].length;
  if (start === undefined) return undefined;
  let depth = 1;
  let inString = false;
  for (let i = start; i < line.length; i++) {
    const c = line.charCodeAt(i);
    if (inString) {
      if (c === BACKSLASH) i++;
      else if (c === QUOTE) inString = false;
    } else if (c === QUOTE) inString = true;
    else if (c === OPEN) depth++;
    else if (c === CLOSE && --depth === 0) return line.slice(0, i + 1);
  }
  return undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

function parseObject(text: string): Raw | undefined {
  try {
    return JSON.parse(text) as Raw;
  } catch {
    return undefined;
  }
}

/** The properties as Jackson would turn them into the types of the Java daemon's messages. */
function coerced(raw: Raw, text: string): object {
  switch (raw.action) {
    case "status":
      // Without a name it answers nothing; "null" is no action either.
      return { ...raw, responseFor: toText(raw.responseFor ?? "null") };
    case "checkpoint": {
      const key = Object.hasOwn(raw, "sequenceNumber") ? "sequenceNumber" : "checkpoint";
      // A sequence number has more digits than a double, so a bare number is taken as it was written.
      const value = typeof raw[key] === "number" ? withNumbersAsText(text)[key] : raw[key];
      const sequenceNumber = toText(value);
      const subSequenceNumber = toInteger(raw.subSequenceNumber);
      const checkpoint = key === "checkpoint" ? sequenceNumber : undefined;
      return { ...raw, sequenceNumber, subSequenceNumber, checkpoint };
    }
    default:
      return { ...raw, level: toLevel(raw.level), message: toLogText(raw.message) };
  }
}

function toText(value: unknown): unknown {
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
}

function toInteger(value: unknown): unknown {
  if (typeof value === "number") return Math.trunc(value);
  if (typeof value !== "string") return value;
  const digits = value.trim();
  if (digits === "") return null;
  return /^[+-]?\d+(\.\d*)?$/.test(digits) ? Math.trunc(Number(digits)) : value;
}

const LEVELS = new Map<string, (typeof LOG_LEVELS)[number]>([
  ...LOG_LEVELS.map((level) => [level, level] as const),
  ["trace", "debug"],
  ["warning", "warn"],
  ["critical", "error"],
  ["fatal", "error"],
]);

function toLevel(value: unknown): string {
  return LEVELS.get(String(value).toLowerCase()) ?? "info";
}

function toLogText(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

/** Parses valid JSON once more, with every number in quotes. */
function withNumbersAsText(text: string): Raw {
  const quoted = text.replace(STRING_OR_NUMBER, (token) =>
    token[0] === '"' ? token : `"${token}"`,
  );
  return parseObject(quoted) ?? {};
}

const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;

function describeIssue(issue: { readonly path: readonly PropertyKey[]; readonly message: string }) {
  return `${issue.path.map(String).join(".")}: ${issue.message}`;
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
