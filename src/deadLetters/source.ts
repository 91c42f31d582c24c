// Where dead letters are taken from to be redriven, and what is left behind so that none is redriven twice by accident.

import type { DeadLetter } from "../model/deadLetter.ts";

/** Letters that were found together. */
export interface Found {
  readonly letters: readonly DeadLetter[];
  /** Redriven before. */
  readonly done: number;
  /** Pieces that are no letters. */
  readonly torn: number;
}

export interface LetterSource {
  /** As people call it. */
  readonly name: string;
  /** @param shardId letters of this shard alone; absent = all. */
  find(shardId: string | undefined): AsyncIterable<Found>;
  /** Returns when it is safe that these are not found again. */
  settle(letters: readonly DeadLetter[], to: string): Promise<void>;
  close(): Promise<void>;
}
