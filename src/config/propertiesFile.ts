// Reads a properties file from disk. It is UTF-8, with or without a byte order mark. A file that is
// not valid UTF-8 is read as ISO-8859-1, as the Java daemon reads it, so that an old file keeps its
// meaning.

import { isAscii, isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { ConfigError, type ConfigNotice, type ConfigProblem } from "./configError.ts";
import { type PropertyEntry, parseProperties } from "./propertiesText.ts";
import { whyUnreadable } from "./references.ts";

export interface PropertiesFile {
  readonly entries: readonly PropertyEntry[];
  readonly problems: readonly ConfigProblem[];
  readonly notices: readonly ConfigNotice[];
}

/** The byte order mark of UTF-8, one character for each byte. */
const UTF8_MARK = "\xef\xbb\xbf";

/** @throws ConfigError when the file does not exist, cannot be read, or is UTF-16. */
export function readPropertiesFile(file: string): PropertiesFile {
  const bytes = readBytes(file);
  if (isUtf16(bytes)) {
    const message = `${file} is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)`;
    throw new ConfigError([{ message }]);
  }
  const utf8 = isUtf8(bytes);
  // The mark of UTF-8, also in a file that an old editor has continued in ISO-8859-1.
  const start = bytes.toString("latin1", 0, UTF8_MARK.length) === UTF8_MARK ? UTF8_MARK.length : 0;
  const text = bytes.toString(utf8 ? "utf8" : "latin1", start);
  const { entries, problems } = parseProperties(text);
  const source = (line: number) => ({ type: "file", file, line }) as const;
  return {
    entries: utf8 && !isAscii(bytes) ? withJavaValues(entries, bytes) : entries,
    problems: problems.map(({ line, message }) => ({ source: source(line), message })),
    notices: utf8 ? [] : [latin1Notice(file)],
  };
}

/** By the byte order mark, or by a zero byte: the first character is almost always ASCII. */
function isUtf16(bytes: Buffer): boolean {
  const mark = bytes.toString("hex", 0, 2);
  return mark === "fffe" || mark === "feff" || bytes.subarray(0, 2).includes(0);
}

/**
 * Adds what Java reads, which decodes the bytes as ISO-8859-1. No byte of a multi-byte UTF-8
 * character is a line end, a separator or a backslash, so both readings have the same entries.
 */
function withJavaValues(entries: readonly PropertyEntry[], bytes: Buffer): PropertyEntry[] {
  const java = parseProperties(bytes.toString("latin1")).entries;
  return entries.map((entry, index) => {
    const javaValue = java[index]?.value;
    return javaValue === undefined || javaValue === entry.value ? entry : { ...entry, javaValue };
  });
}

function readBytes(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const message = `cannot read the properties file ${file}: ${whyUnreadable(cause)}`;
    throw new ConfigError([{ message }], { cause });
  }
}

function latin1Notice(file: string): ConfigNotice {
  return { level: "info", message: `${file} is not UTF-8; read as ISO-8859-1, as Java does` };
}
