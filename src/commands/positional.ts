// Checks an argument that is neither a command nor, perhaps, a properties file. A mistyped command
// must not start a worker.

import { existsSync } from "node:fs";
import { UserError } from "../model/errors.ts";
import { nearest } from "../nearest.ts";

/** @throws UserError when there is no such file. */
export function refuseUnlessFile(word: string, commands: readonly string[]): void {
  if (existsSync(word)) return;
  const begun = commands.filter((command) => command.startsWith(word));
  const meant = nearest(word, commands) ?? (begun.length === 1 ? begun[0] : undefined);
  const advice = meant === undefined ? "" : `; did you mean ${meant}?`;
  throw new UserError(
    `there is no command and no file "${word}"${advice} (kinesis-multilang --help lists the commands)`,
  );
}
