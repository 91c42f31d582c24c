// Where the transcripts are that come with this package.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DialectName } from "../model/dialect.ts";
import { UserError } from "../model/errors.ts";
import { PACKAGE_FOLDER } from "../package.ts";
import { parseTranscript, type Side, type Transcript } from "./transcript.ts";

const FOLDER = join(PACKAGE_FOLDER, "protocol/transcripts");

/** All transcripts in order of their names, or those that can be played against one side. */
export async function loadTranscripts(side?: Side): Promise<Transcript[]> {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith(".txt")).sort();
  const all = await Promise.all(names.map((name) => readTranscript(join(FOLDER, name))));
  return all.filter((transcript) => side === undefined || transcript.applies.includes(side));
}

/** Those that a client of this dialect is judged by: all but the ones about another. */
export async function clientTranscripts(dialect: DialectName): Promise<Transcript[]> {
  const all = await loadTranscripts("client");
  return all.filter(
    (transcript) => transcript.dialect === "kcl2" || transcript.dialect === dialect,
  );
}

/** Throws a UserError when there is no such file, or it is no transcript. */
export async function readTranscript(file: string): Promise<Transcript> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new UserError(`cannot read the transcript ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return parseTranscript(text, file);
}
