// The level of a line on a child's STDERR, as the child's own logger wrote it: in a JSON object, or
// in one of the forms of the common loggers. A line that has no level of its own, such as one of a
// stack trace, belongs to the line before it. Pure but for the line before.

export type OutputLevel = "trace" | "debug" | "info" | "warn" | "error";

/** Words of log4j, Python, Ruby, .NET, slog, pino and others, in lower case. */
const WORDS: Readonly<Record<string, OutputLevel>> = {
  trace: "trace",
  trce: "trace",
  debug: "debug",
  dbug: "debug",
  info: "info",
  information: "info",
  notice: "info",
  warn: "warn",
  warning: "warn",
  error: "error",
  fail: "error",
  err: "error",
  critical: "error",
  crit: "error",
  fatal: "error",
  severe: "error",
};

/** Where loggers put the level in a JSON object. */
const JSON_FIELDS = ["level", "severity", "levelname", "lvl", "loglevel", "log.level", "@l"];

/** A longer line is not parsed as JSON: a level is not worth the time. */
const JSON_CHARS_MAX = 16 * 1024;
/** The level stands at the beginning of a line. */
const HEAD_CHARS = 160;

const WORD = "TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL|SEVERE";
const FORMS: readonly RegExp[] = [
  // `WARNING:root:text`, `ERROR text`, `error: text`, and `warn: Category[0]` of .NET.
  new RegExp(`^(${WORD})\\b`),
  /^(trce|dbug|debug|info|warn|warning|error|fail|crit|fatal): /,
  // `[ERROR] text`
  /^\[([A-Za-z]+)\s*\]/,
  // `time=… level=WARN msg=…`
  /\blevel="?([A-Za-z]+)\b/,
  // log4j, logback, Ruby, and Python with a time: `2026-11-28 12:00:00,123 [main] WARN  a.b - text`
  new RegExp(`^(?:[A-Z], )?[\\[(]?\\d[\\dTZ:.,/+ -]{4,}.*?[\\s\\[|](${WORD})\\b`),
];

/** What an uncaught error prints before its stack trace. */
const CRASH =
  /^(?:Traceback \(most recent call last\)|Exception in thread |Unhandled |Uncaught |panic: |(?:[\w$]+[.:]+)*(?:[A-Z]\w*)?(?:Error|Exception)\b(?::|$))/;
const CONTINUES = /^(?:\s|$|Caused by: |Suppressed: |(?:During handling|The above exception)\b)/;

/** The levels of the lines of one child, in their order. */
export class OutputLevels {
  #last: OutputLevel = "info";

  next(line: string): OutputLevel {
    const continues = CONTINUES.test(line);
    if (!continues) this.#last = levelOf(line) ?? "info";
    return this.#last;
  }
}

function levelOf(line: string): OutputLevel | undefined {
  if (line.startsWith("{")) return jsonLevel(line);
  const head = line.slice(0, HEAD_CHARS);
  for (const form of FORMS) {
    const word = form.exec(head)?.[1]?.toLowerCase() ?? "";
    if (Object.hasOwn(WORDS, word)) return WORDS[word];
  }
  return CRASH.test(head) ? "error" : undefined;
}

function jsonLevel(line: string): OutputLevel | undefined {
  if (line.length > JSON_CHARS_MAX) return undefined;
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = JSON.parse(line);
  } catch {
    return undefined;
  }
  for (const name of JSON_FIELDS) {
    const value = fields[name];
    if (typeof value === "number") return numericLevel(value);
    const word = typeof value === "string" ? value.toLowerCase() : "";
    if (Object.hasOwn(WORDS, word)) return WORDS[word];
  }
  return undefined;
}

/** The numbers of pino and bunyan. */
function numericLevel(level: number): OutputLevel {
  if (level >= 50) return "error";
  if (level >= 40) return "warn";
  if (level >= 30) return "info";
  return level >= 20 ? "debug" : "trace";
}
