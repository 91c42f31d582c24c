// What the Java daemon would do with a setting, where that differs from what happens here. The
// texts complete "Java: …".

import { parseCommand } from "./childCommand.ts";
import type { Given } from "./given.ts";
import { javaType } from "./javaTypes.ts";
import { isOurs, type Key } from "./keys.ts";
import { ANY_ACCOUNT, parseStreamArn } from "./streamArn.ts";

const REFUSES = "refuses to start";

/** What Java does when the key is absent, where our default differs. */
const OTHER_DEFAULTS: { readonly [K in Key]?: string } = {
  shutdownGraceMillis: "0: children are not waited for",
  AwsCredentialsProvider: `${REFUSES}: the key is required`,
};

/** `undefined` when Java does the same. */
export function javaReading(key: Key, given: Given | undefined): string | undefined {
  if (!given) return OTHER_DEFAULTS[key];
  const { source, writtenText, javaText, text } = given;
  if (source.type !== "file") return "reads only the file";
  if (isOurs(key)) return "does not know it, and ignores it";
  if (text !== writtenText) return `uses the text literally: ${shown(writtenText)}`;
  return readingOf(key, text) ?? (javaText === undefined ? undefined : latin1(javaText));
}

function readingOf(key: Key, text: string): string | undefined {
  switch (key) {
    case "executableName":
      return splitDifferently(text);
    case "streamArn":
      return parseStreamArn(text.trim())?.accountId === ANY_ACCOUNT
        ? undefined
        : "uses only the stream's name in it, not its region and account";
    case "cleanupLeasesUponShardCompletion":
      return /^(false|no|n|off|0)$/i.test(text)
        ? "true: the value false has no effect"
        : withBlanks(key, text);
    case "retrievalMode":
      return /^auto$/i.test(text) ? `${REFUSES}: unknown retrieval type` : withBlanks(key, text);
    case "initialPositionInStream":
      return /^at_timestamp$/i.test(text) ? REFUSES : withBlanks(key, text);
    case "initialPositionInStreamExtended":
      return /^\d+$/.test(text) ? undefined : `${REFUSES}: only whole seconds`;
    case "AwsCredentialsProvider":
    case "AwsCredentialsProviderDynamoDB":
    case "AwsCredentialsProviderCloudWatch":
      return undefined;
    default:
      return withBlanks(key, text);
  }
}

/** Blanks at the end of a value, which Java drops from numbers only. */
function withBlanks(key: Key, text: string): string | undefined {
  if (text === text.trimEnd()) return undefined;
  switch (javaType(key)) {
    case "boolean":
    case "Boolean":
      return "false: blanks follow the word";
    case "enum":
    case "URI":
      return `${REFUSES}: blanks follow the word`;
    case undefined:
      // In a worker's id, blanks are kept here too.
      return key === "workerId" ? undefined : `keeps the blanks at the end: ${shown(text)}`;
    default:
      return undefined;
  }
}

function splitDifferently(text: string): string | undefined {
  const ours = parseCommand(text);
  const java = text.split(/ +/).filter(Boolean);
  if (typeof ours === "string") return undefined;
  if (JSON.stringify([ours.file, ...ours.args]) === JSON.stringify(java)) return undefined;
  return "quotes are part of the words";
}

function latin1(javaText: string): string {
  return `${shown(javaText)}: it reads the file as ISO-8859-1`;
}

function shown(text: string): string {
  return JSON.stringify(text);
}
