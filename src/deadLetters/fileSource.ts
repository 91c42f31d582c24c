// Dead letters in a file. The file stays as it is, for daemons go on appending to it; what was redriven is noted in a
// second file beside it, FILE.redriven, one line a letter, when and whereto. A lock keeps two from redriving at once.

import { open, readFile, rm } from "node:fs/promises";
import { resolve } from "node:path";
import type { DeadLetter } from "../model/deadLetter.ts";
import { UserError } from "../model/errors.ts";
import { placeOf } from "../sinks/letterText.ts";
import { parseLetters } from "./readLetters.ts";
import type { Found, LetterSource } from "./source.ts";

const OWNER_ONLY = 0o600;
/** Letters handed on together. */
const CHUNK = 500;

interface Note {
  readonly place: string;
  /** ISO 8601, as `buriedAt` is. */
  readonly redrivenAt: string;
  readonly to: string;
}

/** @throws UserError when the file cannot be read, or another redrive is at work on it. */
export async function openFileSource(file: string, now: () => number): Promise<LetterSource> {
  const path = resolve(file);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new UserError(`The dead letters in ${file} cannot be read.`, { cause });
  });
  const unlock = await lock(`${path}.lock`);
  const notesPath = `${path}.redriven`;
  const notes = await readNotes(notesPath);

  return {
    name: file,
    async *find(shardId): AsyncGenerator<Found> {
      const { letters, torn } = parseLetters(text);
      const wanted = letters.filter((letter) => !shardId || letter.shardId === shardId);
      const open = wanted.filter((letter) => !isNoted(notes, letter));
      const unique = [...new Map(open.map((letter) => [placeOf(letter), letter])).values()];
      let rest: Omit<Found, "letters"> = { done: wanted.length - unique.length, torn };
      for (let from = 0; from === 0 || from < unique.length; from += CHUNK) {
        yield { letters: unique.slice(from, from + CHUNK), ...rest };
        rest = { done: 0, torn: 0 };
      }
    },
    async settle(letters, to) {
      const redrivenAt = new Date(now()).toISOString();
      const lines = letters.map((letter) =>
        JSON.stringify({ place: placeOf(letter), redrivenAt, to } satisfies Note),
      );
      const notes = await open(notesPath, "a", OWNER_ONLY);
      try {
        await notes.write(lines.map((line) => `${line}\n`).join(""));
        await notes.datasync();
      } finally {
        await notes.close();
      }
    },
    close: unlock,
  };
}

/** A record that was buried again since is to be redriven again. */
function isNoted(notes: ReadonlyMap<string, string>, letter: DeadLetter): boolean {
  const redrivenAt = notes.get(placeOf(letter));
  return redrivenAt !== undefined && Date.parse(redrivenAt) >= Date.parse(letter.buriedAt);
}

async function readNotes(path: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return new Map(
    text.split("\n").flatMap((line): [string, string][] => {
      try {
        const { place, redrivenAt } = JSON.parse(line) as Note;
        return [[place, redrivenAt]];
      } catch {
        return []; // The end of a note that was torn: its letter counts as not redriven.
      }
    }),
  );
}

/** @returns what takes the lock away. */
async function lock(path: string): Promise<() => Promise<void>> {
  try {
    const file = await open(path, "wx", OWNER_ONLY);
    await file.write(`${process.pid}\n`);
    await file.close();
    return () => rm(path, { force: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    const pid = await readFile(path, "utf8").catch(() => "?");
    throw new UserError(
      `Process ${pid.trim()} is redriving these dead letters. If there is no such process any more, remove ${path}.`,
      { cause },
    );
  }
}
