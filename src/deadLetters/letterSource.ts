// Where redrive reads dead letters from. A source also records which letters were redriven, so that
// nobody redrives a letter twice by accident.

import type { DeadLetter } from "../model/deadLetter.ts";

/** Letters that the source read together. */
export interface LetterPage {
  readonly letters: readonly DeadLetter[];
  /** The number of letters that are left out, because they were redriven before. */
  readonly done: number;
  /** The number of pieces that are not complete letters. */
  readonly incomplete: number;
}

export interface LetterSource {
  /** For messages. */
  readonly name: string;
  /** @param shardId reads only letters of this shard; all letters when absent. */
  read(shardId: string | undefined): AsyncIterable<LetterPage>;
  /** Resolves when a later redrive is certain not to read these letters again. */
  markRedriven(letters: readonly DeadLetter[], to: string): Promise<void>;
  close(): Promise<void>;
}
