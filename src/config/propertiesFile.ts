// Reads a properties file from disk. UTF-8, with or without a byte order mark; bytes that are no UTF-8 are read as
// ISO-8859-1, which is what the Java daemon reads, so that an old file keeps its meaning.

import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { ConfigError, type ConfigNotice, type ConfigProblem } from "./configError.ts";
import { type PropertyEntry, parseProperties } from "./propertiesText.ts";
import { whyUnreadable } from "./references.ts";

export interface PropertiesFile {
  readonly entries: readonly PropertyEntry[];
  readonly problems: readonly ConfigProblem[];
  readonly notices: readonly ConfigNotice[];
}

/** @throws ConfigError when there is no such file, or it cannot be read. */
export function readPropertiesFile(file: string): PropertiesFile {
  const bytes = readBytes(file);
  const utf8 = isUtf8(bytes);
  const text = bytes.toString(utf8 ? "utf8" : "latin1").replace(/^\uFEFF/, "");
  const { entries, problems } = parseProperties(text);
  const source = (line: number) => ({ type: "file", file, line }) as const;
  const notices: ConfigNotice[] = utf8 ? [] : [latin1Notice(file)];
  return {
    entries,
    problems: problems.map(({ line, message }) => ({ source: source(line), message })),
    notices: [...notices, ...duplicates(entries, source)],
  };
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

function duplicates(
  entries: readonly PropertyEntry[],
  source: (line: number) => ConfigNotice["source"] & object,
): ConfigNotice[] {
  const first = new Map<string, number>();
  const notices: ConfigNotice[] = [];
  for (const { key, line } of entries) {
    const before = first.get(key);
    first.set(key, line);
    if (before === undefined) continue;
    const message = `written twice, in line ${before} and here; this one counts`;
    notices.push({ level: "warning", source: source(line), key, message });
  }
  return notices;
}
