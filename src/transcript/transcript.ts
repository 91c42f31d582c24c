// A transcript: one behaviour of the protocol as a readable conversation, from which either side
// can be played.
//
//   # What it shows, in one sentence.
//   # applies: daemon, client          and other tags, see TAGS
//   > {"action":"initialize",…}        a line from the daemon
//   < {"action":"status",…}            a line from the child
//   ! lease lost                       something happens, see EVENTS

import { DIALECT_NAMES, type DialectName } from "../model/dialect.ts";
import { UserError } from "../model/errors.ts";
import { expand } from "./template.ts";

/** The side that a transcript can test: the program that runs children, or a child. */
export type Side = "daemon" | "client";

/** What happens outside the two pipes of messages. */
export type TranscriptEvent =
  /** Another worker has the lease, or this worker can no longer rely on it. */
  | { readonly type: "lease lost" }
  /** The daemon is requested to stop, or to hand the lease over. */
  | { readonly type: "stop requested" }
  /** The last record of the shard was delivered. */
  | { readonly type: "shard ended" }
  /** The next checkpoint fails in the lease table with this error. */
  | { readonly type: "checkpoint fails"; readonly text: string }
  /**
   * The checkpoint in the lease after the last answer: `<sequence number> <sub-sequence number>`.
   */
  | { readonly type: "stored"; readonly text: string }
  /** The daemon considers the child failed, and ignores what it sends from now on. */
  | { readonly type: "child fails"; readonly text: string }
  /** The child writes this line to STDERR. */
  | { readonly type: "stderr"; readonly text: string }
  /** The daemon logs this for the child: `<level> <message>`. */
  | { readonly type: "log"; readonly text: string }
  /** The daemon closes the child's STDIN. */
  | { readonly type: "stdin closes" }
  /** The child closes its STDOUT and keeps running. */
  | { readonly type: "stdout closes" }
  /** The child ends with this exit code. */
  | { readonly type: "child exits"; readonly text: string };

/** The events, and whether a text follows them after a colon. */
const EVENTS = {
  "lease lost": false,
  "stop requested": false,
  "shard ended": false,
  "checkpoint fails": true,
  stored: true,
  "child fails": true,
  stderr: true,
  log: true,
  "stdin closes": false,
  "stdout closes": false,
  "child exits": true,
} satisfies Record<TranscriptEvent["type"], boolean>;

export type Step =
  | { readonly from: "daemon" | "child"; readonly text: string; readonly line: number }
  | { readonly from: "event"; readonly event: TranscriptEvent; readonly line: number };

export interface Transcript {
  /** The file name without folder and extension. */
  readonly name: string;
  /** The first line of prose. */
  readonly title: string;
  readonly applies: readonly Side[];
  /** What the Java daemon does: "same", or "deviation: …". Absent when only a client is tested. */
  readonly java?: string;
  /**
   * The numbers of the sentences in protocol/README.md that it shows. The first one is reported.
   */
  readonly sentences: readonly string[];
  /** The dialect of the messages that end the child. */
  readonly dialect: DialectName;
  /** Whether the daemon announces itself in the child's environment. */
  readonly announced: boolean;
  readonly steps: readonly Step[];
}

const TAGS = ["applies", "java", "sentence", "environment", "dialect"] as const;
type Tag = (typeof TAGS)[number];

/** @throws UserError with file and line when the text is not a transcript. */
export function parseTranscript(text: string, file: string): Transcript {
  const tags = new Map<Tag, string>();
  const steps: Step[] = [];
  let title = "";
  for (const [index, raw] of text.split("\n").entries()) {
    const line = index + 1;
    const mark = raw.slice(0, 1);
    const rest = raw.slice(raw[1] === " " ? 2 : 1);
    if (raw.trim() === "") continue;
    if (mark === "#") {
      const tag = tagIn(rest);
      if (tag) tags.set(tag, rest.slice(tag.length + 1).trim());
      else if (title === "") title = rest.trim();
    } else if (mark === ">" || mark === "<") {
      steps.push({ from: mark === ">" ? "daemon" : "child", text: rest, line });
    } else if (mark === "!") {
      steps.push({ from: "event", event: parseEvent(rest.trim(), `${file}:${line}`), line });
    } else {
      throw new UserError(
        `${file}:${line}: a line of a transcript begins with >, <, ! or #, but this one is: ${raw.slice(0, 80)}`,
      );
    }
  }
  const java = tags.get("java");
  return {
    name: file.replace(/^.*[/\\]/, "").replace(/\.txt$/, ""),
    title,
    applies: list(tags.get("applies")).filter((side) => side === "daemon" || side === "client"),
    ...(java === undefined ? {} : { java }),
    sentences: list(tags.get("sentence")),
    dialect: DIALECT_NAMES.find((name) => name === tags.get("dialect")) ?? "kcl2",
    announced: tags.get("environment") !== "none",
    steps,
  };
}

/** The line of a step as it is sent. */
export function lineOf(step: Step): string {
  return step.from === "event" ? "" : expand(step.text);
}

function tagIn(prose: string): Tag | undefined {
  return TAGS.find((tag) => prose.startsWith(`${tag}:`));
}

function list(text: string | undefined): string[] {
  return (text ?? "").split(/[,\s]+/).filter((word) => word !== "");
}

function parseEvent(written: string, where: string): TranscriptEvent {
  const colon = written.indexOf(":");
  const type = colon < 0 ? written : written.slice(0, colon);
  const text = colon < 0 ? "" : written.slice(colon + 1).trim();
  if (isEventType(type) && EVENTS[type] === text.length > 0)
    return { type, text } as TranscriptEvent;
  const known = Object.entries(EVENTS).map(([name, more]) => (more ? `${name}: …` : name));
  throw new UserError(`${where}: unknown event "${written}"; known: ${known.join(", ")}`);
}

function isEventType(text: string): text is TranscriptEvent["type"] {
  return Object.hasOwn(EVENTS, text);
}
