// Loads the transcripts that are part of this package.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DialectName } from "../model/dialect.ts";
import { UserError } from "../model/errors.ts";
import { inPackage } from "../package.ts";
import { parseTranscript, type Side, type Transcript } from "./transcript.ts";

const FOLDER = "protocol/transcripts";

/** All transcripts in the order of their names, or those that can be played against one side. */
export async function loadTranscripts(side?: Side): Promise<Transcript[]> {
  const folder = inPackage(FOLDER);
  const names = (await readdir(folder)).filter((name) => name.endsWith(".txt")).sort();
  const all = await Promise.all(names.map((name) => readTranscript(join(folder, name))));
  return all.filter((transcript) => side === undefined || transcript.applies.includes(side));
}

/** The transcripts that test a client of this dialect: all except those of another dialect. */
export async function clientTranscripts(dialect: DialectName): Promise<Transcript[]> {
  const all = await loadTranscripts("client");
  return all.filter(
    (transcript) => transcript.dialect === "kcl2" || transcript.dialect === dialect,
  );
}

/** @throws UserError when the file does not exist or is not a transcript. */
export async function readTranscript(file: string): Promise<Transcript> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new UserError(`Cannot read the transcript ${file}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return parseTranscript(text, file);
}
