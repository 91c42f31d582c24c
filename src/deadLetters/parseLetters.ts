// Dead letters from text that may be incomplete, or may not be a dead letter at all.

import { z } from "zod";
import type { DeadLetter } from "../model/deadLetter.ts";

/** The fields that redrive needs. The others are for people who read the letter. */
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

/** The start of every letter. It cannot occur inside a letter, where its quotes are escaped. */
const START_OF_LETTER = /(?=\{"version":1,)/;

export interface ParsedLetters {
  readonly letters: readonly DeadLetter[];
  /**
   * The number of pieces that are not letters. A full disk or a power failure leaves such pieces;
   * the daemon has then written their letters again.
   */
  readonly incomplete: number;
}

/** Parses one letter a line, and also a letter that follows an incomplete one on the same line. */
export function parseLetters(text: string): ParsedLetters {
  const pieces = text
    .split("\n")
    .flatMap((line) => line.split(START_OF_LETTER))
    .filter((piece) => piece.trim() !== "");
  const letters = pieces.flatMap((piece) => parseLetter(piece) ?? []);
  return { letters, incomplete: pieces.length - letters.length };
}
