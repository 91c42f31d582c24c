// The syntax of java.util.Properties: text in, keys and values with their lines out. It does not
// know what keys mean. One deviation from Java: the text was decoded from UTF-8, where Java reads
// ISO-8859-1.

export interface PropertyEntry {
  readonly key: string;
  /** As in Java, without leading blanks and with trailing blanks. */
  readonly value: string;
  /** The line in which the entry begins, from 1. */
  readonly line: number;
  /** The value that Java reads from the same bytes as ISO-8859-1; absent when it is the same. */
  readonly javaValue?: string;
}

interface SyntaxProblem {
  readonly line: number;
  readonly message: string;
}

export interface PropertiesText {
  /** In the order of the text. A key may occur more than once; the last entry is used. */
  readonly entries: readonly PropertyEntry[];
  readonly problems: readonly SyntaxProblem[];
}

/**
 * Never throws: an entry with an invalid `\u` escape becomes a problem, and the others are kept.
 */
export function parseProperties(text: string): PropertiesText {
  const entries: PropertyEntry[] = [];
  const problems: SyntaxProblem[] = [];
  for (const { text: logical, line } of logicalLines(text)) {
    const { keyEnd, valueStart } = splitAt(logical);
    const key = resolveEscapes(logical.slice(0, keyEnd));
    const value = resolveEscapes(logical.slice(valueStart));
    const bad = key.bad ?? value.bad;
    if (bad === undefined) entries.push({ key: key.text, value: value.text, line });
    else problems.push({ line, message: badEscape(bad) });
  }
  return { entries, problems };
}

interface LogicalLine {
  readonly text: string;
  readonly line: number;
}

/** Joins continued lines, and drops blank lines and comments. Escapes stay as they are. */
function* logicalLines(text: string): Generator<LogicalLine> {
  let logical = "";
  let start = 0;
  let number = 0;
  for (const natural of text.split(/\r\n|\r|\n/)) {
    number += 1;
    const content = natural.replace(/^[ \t\f]+/, "");
    // In a line that continues another, # and ! are ordinary characters.
    if (logical === "" && /^[#!]/.test(content)) continue;
    if (logical === "") start = number;
    const continued = endsInOddBackslashes(content);
    logical += continued ? content.slice(0, -1) : content;
    if (continued || logical === "") continue;
    yield { text: logical, line: start };
    logical = "";
  }
  if (logical !== "") yield { text: logical, line: start };
}

function endsInOddBackslashes(content: string): boolean {
  const backslashes = /\\*$/.exec(content)?.[0].length ?? 0;
  return backslashes % 2 === 1;
}

const BLANK = new Set([" ", "\t", "\f"]);

/**
 * The first unescaped `=`, `:` or blank ends the key. One `=` or `:` among the blanks after it
 * belongs to the separator.
 */
function splitAt(logical: string): { readonly keyEnd: number; readonly valueStart: number } {
  let keyEnd = 0;
  while (keyEnd < logical.length && !isSeparator(logical.charAt(keyEnd))) {
    keyEnd += logical.charAt(keyEnd) === "\\" ? 2 : 1;
  }
  let valueStart = skipBlanks(logical, keyEnd);
  if (/[=:]/.test(logical.charAt(valueStart))) valueStart = skipBlanks(logical, valueStart + 1);
  return { keyEnd, valueStart };
}

function isSeparator(char: string): boolean {
  return char === "=" || char === ":" || BLANK.has(char);
}

function skipBlanks(logical: string, from: number): number {
  let at = from;
  while (BLANK.has(logical.charAt(at))) at += 1;
  return at;
}

const ESCAPES: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

/** `bad` is the first `\u` escape without four hexadecimal digits. */
function resolveEscapes(raw: string): { readonly text: string; readonly bad?: string } {
  let bad: string | undefined;
  const text = raw.replace(/\\(?:u(.{0,4})|(.))/gs, (whole, hex?: string, char?: string) => {
    if (char !== undefined) return ESCAPES[char] ?? char;
    if (hex !== undefined && /^[0-9a-fA-F]{4}$/.test(hex)) {
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    bad ??= whole;
    return whole;
  });
  return bad === undefined ? { text } : { text, bad };
}

function badEscape(found: string): string {
  return `invalid escape ${JSON.stringify(found).slice(1, -1).replaceAll("\\\\", "\\")}: \\u must be followed by four hexadecimal digits (write a backslash itself as \\\\)`;
}
