// docs/configuration.md: the reference of all property keys, generated so that it cannot go stale.

import { ignoredKeys } from "../ignoredKeys.ts";
import { describeKey, documentedGroups, ignoredReason } from "./keyDescription.ts";

const INTRODUCTION = `# Configuration

<!-- Written by \`npm run docs\` from src/config. Do not edit this page. -->

The daemon reads a \`.properties\` file in Java's syntax, the same file that the Java MultiLangDaemon
reads. \`kinesis-multilang config -p FILE\` prints every setting as it takes effect, and
\`kinesis-multilang config --explain KEY\` prints what this page says about a key.

- **Precedence:** an environment variable overrides the file. A variable that is empty counts as not
  set. Add \`__\` and the application's name for one application of several:
  \`KINESIS_MULTILANG_MAX_RECORDS__WORD_COUNT\` sets \`maxRecords\` for the application
  \`word-count\` only, and overrides the variable without the name. Write every character other than
  letters and digits as \`_\`.
- **References:** any value may contain \`\${env:NAME}\` or \`\${file:PATH}\`. A relative path begins in
  the folder of the properties file. \`$\${env:NAME}\` stands for the text itself.
- **Errors:** a value that is not allowed stops the start. The daemon reports all errors at once,
  with file and line. An unknown key is a warning with a suggestion.
- **Zero:** where Java treats 0 as "not set", the daemon uses the default and logs a warning.
- **Encoding:** UTF-8. A file that is not valid UTF-8 is read as ISO-8859-1, as Java does.
- **Nested names:** the keys below the Java beans \`pollingConfig.\`,
  \`gracefulLeaseHandoffConfigBean.\`, \`workerUtilizationAwareAssignmentConfigBean.\`,
  \`workerMetricStatsTableConfigBean.\` and \`coordinatorStateTableConfigBean.\` are accepted with and
  without that prefix.
`;

const IGNORED = `## Ignored keys

These keys of the Java daemon, or of an older one, are accepted and have no effect.

| Key | Reason |
| --- | --- |
`;

export function configurationPage(): string {
  const groups = documentedGroups.map(([title, keys]) => {
    const sections = keys.map((key) => {
      const { meaning, facts } = describeKey(key);
      const items = facts.map(([name, content]) => wrapped(`- ${name}: ${escaped(content)}`, "  "));
      return `### \`${key}\`\n\n${wrapped(escaped(meaning))}\n\n${items.join("\n")}\n`;
    });
    return [`## ${title}\n`, ...sections].join("\n");
  });
  const rows = Object.keys(ignoredKeys).map((key) => `| \`${key}\` | ${ignoredReason(key)} |\n`);
  return [INTRODUCTION, ...groups, IGNORED + rows.join("")].join("\n");
}

const WIDTH = 100;

/** Breaks a line at blanks; the lines after the first begin with `indent`. */
function wrapped(text: string, indent = ""): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line.trim() !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent + word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}

/** Outside of code, an asterisk or a bracket would be markup. */
function escaped(text: string): string {
  return text.replace(/`[^`]*`|[*<>_]/g, (found) => (found.length > 1 ? found : `\\${found}`));
}
