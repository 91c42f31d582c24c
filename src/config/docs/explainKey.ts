// The text of `config --explain KEY`.

import { UserError } from "../../model/errors.ts";
import { isKey } from "../keys.ts";
import { canonicalName, suggestKey } from "../names.ts";
import { describeKey, ignoredReason } from "./keyDescription.ts";

/** @throws UserError when the key is unknown. */
export function explainKey(written: string): string {
  const key = canonicalName(written.trim());
  if (isKey(key)) {
    const { meaning, facts } = describeKey(key);
    const lines = facts.map(([title, content]) => `  ${`${title}:`.padEnd(13)}${content}`);
    return plain([key, `  ${meaning}`, "", ...lines].join("\n"));
  }
  const reason = ignoredReason(key);
  if (reason !== undefined) return `${key}\n  The key is ignored. ${reason}`;
  const suggestion = suggestKey(key);
  const hint =
    suggestion === undefined ? "config -p FILE lists all keys" : `did you mean ${suggestion}?`;
  throw new UserError(`There is no key ${written}: ${hint}`);
}

/** The documentation marks code with backquotes, which a terminal does not need. */
function plain(text: string): string {
  return text.replaceAll("`", "");
}
