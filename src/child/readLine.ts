// Decides what a line on a child's STDOUT means. It accepts everything that the Java daemon
// accepts: lines that are no message, numbers in place of text, and text after the message. Unlike
// Java, it also accepts unknown properties.

import { type ChildMessage, childMessage, LOG_LEVELS } from "./messages.ts";

export type ReadLine =
  | {
      readonly type: "message";
      readonly message: ChildMessage;
      /** Properties that the message should not have; they are ignored. */
      readonly unknownKeys: readonly string[];
    }
  | { readonly type: "blank" }
  /** JSON with an action that no child sends, or without a property that the action needs. */
  | { readonly type: "notForUs"; readonly why: string }
  /** `looksLike`: the line contains a message that does not count, and this describes why. */
  | { readonly type: "junk"; readonly looksLike?: string };

const KNOWN_KEYS: Record<ChildMessage["action"], readonly string[]> = {
  status: ["action", "responseFor"],
  // `error` belongs to the answer; `checkpoint` is the sequence number in KCL before 1.7.2.
  checkpoint: ["action", "sequenceNumber", "subSequenceNumber", "error", "checkpoint"],
  log: ["action", "level", "message"],
};

/** The properties that are read before the object is known to be a message. */
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
    return { type: "notForUs", why: `no child sends the action "${shorten(action)}"` };
  }
  const parsed = childMessage.safeParse(coerced(raw, text));
  if (!parsed.success) {
    return { type: "notForUs", why: shorten(parsed.error.issues.map(describeIssue).join("; ")) };
  }
  const known = KNOWN_KEYS[parsed.data.action];
  const unknownKeys = Object.keys(raw).filter((key) => !known.includes(key));
  return { type: "message", message: parsed.data, unknownKeys };
}

/** Some libraries begin their output with a byte order mark, which has no meaning here. */
function withoutMark(line: string): string {
  return line.charCodeAt(0) === BYTE_ORDER_MARK ? line.slice(1) : line;
}

const BYTE_ORDER_MARK = 0xfeff;

/**
 * In double, single or escaped quotes, as a logger, Python's `print(dict)` or double encoding write
 * it.
 */
const ACTION = /\\?["']action\\?["']\s*:\s*\\?["'](status|checkpoint)\b/;

function junk(line: string): ReadLine {
  if (!ACTION.test(line)) return { type: "junk" };
  return { type: "junk", looksLike: whatIsWrong(line) };
}

function whatIsWrong(line: string): string {
  const brace = line.indexOf("{");
  const before = brace < 0 ? "" : withoutMark(line.slice(0, brace)).trim();
  if (brace < 0) return "a message that is spread over several lines; write it on one line";
  if (/^["']$/.test(before))
    return "a message that was encoded twice; write the JSON object, not a JSON string of it";
  if (before === "[") return "a list of messages; write each message on a line of its own";
  if (before !== "") {
    return `a message after other text (${JSON.stringify(shorten(before))}), as a logger writes it; a message must begin its line, so write it to STDOUT directly`;
  }
  if (/['"]action['"]/.exec(line)?.[0].startsWith("'")) {
    return "a message in single quotes, which is not JSON; write it with a JSON encoder";
  }
  return "a message that is not valid JSON; write the whole message on one line";
}

/** The object at the start of a line, without the text after it; `undefined` when there is none. */
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

/**
 * The properties, converted as Jackson converts them to the types of the Java daemon's messages.
 */
function coerced(raw: Raw, text: string): object {
  switch (raw.action) {
    case "status":
      // A status without a name answers no action, and no action is called "null".
      return { ...raw, responseFor: toText(raw.responseFor ?? "null") };
    case "checkpoint": {
      const key = Object.hasOwn(raw, "sequenceNumber") ? "sequenceNumber" : "checkpoint";
      // A sequence number has more digits than a double can hold, so a bare number is taken as
      // text.
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

/** Parses valid JSON again, with every number as a string. */
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
