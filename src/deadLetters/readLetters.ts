// Dead letters as they are found: text that may have been torn, or is none of ours.

import { z } from "zod";
import type { DeadLetter } from "../model/deadLetter.ts";

/** What redriving needs of a letter; the rest is for people. */
const schema = z.looseObject({
  version: z.literal(1),
  streamName: z.string(),
  shardId: z.string(),
  sequenceNumber: z.string().regex(/^\d+$/),
  subSequenceNumber: z.int().nonnegative(),
  partitionKey: z.string().min(1),
  approximateArrivalTimestamp: z.int(),
  attempts: z.int(),
  buriedAt: z.iso.datetime(),
  cause: z.looseObject({ reason: z.string() }),
  data: z.base64().optional(),
});

export function parseLetter(text: string): DeadLetter | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return schema.safeParse(value).success ? (value as DeadLetter) : undefined;
  } catch {
    return undefined;
  }
}

/** Every letter begins so, and nothing inside of one can look like it: there its quotes would be escaped. */
const BEGINNING = /(?=\{"version":1,)/;

export interface LetterLines {
  readonly letters: readonly DeadLetter[];
  /** Pieces that are no letters: what a full disk or a power cut has torn, and was written again after. */
  readonly torn: number;
}

/** The letters in text with one a line; one that was begun behind the torn half of another is found, too. */
export function parseLetters(text: string): LetterLines {
  const pieces = text
    .split("\n")
    .flatMap((line) => line.split(BEGINNING))
    .filter((piece) => piece.trim() !== "");
  const letters = pieces.flatMap((piece) => parseLetter(piece) ?? []);
  return { letters, torn: pieces.length - letters.length };
}
