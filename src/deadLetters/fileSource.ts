// Dead letters in a file. Redrive does not change the file, because daemons may append to it at any
// time. It writes a note for each redriven letter, with time and target, to a second file,
// FILE.redriven. A lock file prevents two redrives of the same file at the same time.

import { open, readFile, rm } from "node:fs/promises";
import { resolve } from "node:path";
import type { DeadLetter } from "../model/deadLetter.ts";
import { UserError } from "../model/errors.ts";
import { recordId } from "../sinks/letterFormat.ts";
import type { LetterPage, LetterSource } from "./letterSource.ts";
import { parseLetters } from "./parseLetters.ts";

const OWNER_ONLY = 0o600;
/** The most letters in one page. */
const PAGE_LETTERS = 500;

interface Note {
  /** The letter's `recordId`. */
  readonly place: string;
  /** ISO 8601, like `buriedAt`. */
  readonly redrivenAt: string;
  readonly to: string;
}

/** @throws UserError when the file cannot be read, or another redrive is using it. */
export async function openFileSource(file: string, now: () => number): Promise<LetterSource> {
  const path = resolve(file);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new UserError(
      `The file with dead letters, ${file}, cannot be read. Check its path and permissions.`,
      { cause },
    );
  });
  const unlock = await lock(`${path}.lock`);
  const notesPath = `${path}.redriven`;
  const notes = await readNotes(notesPath);

  return {
    name: file,
    async *read(shardId): AsyncGenerator<LetterPage> {
      const { letters, incomplete } = parseLetters(text);
      const wanted = letters.filter((letter) => !shardId || letter.shardId === shardId);
      const open = wanted.filter((letter) => !isNoted(notes, letter));
      const unique = [...new Map(open.map((letter) => [recordId(letter), letter])).values()];
      const done = wanted.length - unique.length;
      let counts: Omit<LetterPage, "letters"> = { done, incomplete };
      for (let from = 0; from === 0 || from < unique.length; from += PAGE_LETTERS) {
        yield { letters: unique.slice(from, from + PAGE_LETTERS), ...counts };
        counts = { done: 0, incomplete: 0 };
      }
    },
    async markRedriven(letters, to) {
      const redrivenAt = new Date(now()).toISOString();
      const lines = letters.map((letter) =>
        JSON.stringify({ place: recordId(letter), redrivenAt, to } satisfies Note),
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

/** A record that was dead-lettered again after its redrive has to be redriven again. */
function isNoted(notes: ReadonlyMap<string, string>, letter: DeadLetter): boolean {
  const redrivenAt = notes.get(recordId(letter));
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
        return []; // An incomplete note: its letter counts as not redriven.
      }
    }),
  );
}

/** @returns a function that removes the lock. */
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
      `Process ${pid.trim()} is redriving these dead letters. Wait until it ends. If that process no longer exists, remove ${path} and run redrive again.`,
      { cause },
    );
  }
}
