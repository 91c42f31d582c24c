// Takes dead letters from where they lie and gives them to a target, few at a time: what the target has taken is
// settled at once, what it could not take stays where it is.

import type { DeadLetter } from "../model/deadLetter.ts";
import type { LetterSource } from "./source.ts";

/** A letter that still has its payload. */
export type WholeLetter = DeadLetter & { readonly data: string };

export type Settle = (letters: readonly WholeLetter[]) => Promise<void>;

export interface RedriveTarget {
  /** As people call it. */
  readonly name: string;
  readonly batchSize: number;
  /**
   * @param settle to be told what was taken, also when it throws after that.
   * @returns why the other letters stay where they are; `undefined` when all were taken.
   */
  take(letters: readonly WholeLetter[], settle: Settle): Promise<string | undefined>;
  /** Ends what it has started. */
  close(): Promise<void>;
}

export interface RedriveOutcome {
  readonly redriven: number;
  /** The target could not take them. */
  readonly failed: number;
  /** They lie there without payload, which their destination could not carry. */
  readonly withoutData: number;
  /** Redriven before. */
  readonly done: number;
  readonly torn: number;
}

/** A target that takes nothing so often in a row is broken, not the letters. */
const FAILURES_MAX = 5;

interface Redrive {
  readonly source: LetterSource;
  readonly target: RedriveTarget;
  readonly shardId: string | undefined;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Ends early when the signal is aborted, after the batch at hand, or when nothing is taken any more. */
export async function redrive(parts: Redrive): Promise<RedriveOutcome> {
  const { source, target, shardId, signal, say } = parts;
  const sum = { redriven: 0, failed: 0, withoutData: 0, done: 0, torn: 0 };
  let failuresInARow = 0;
  const settle: Settle = async (taken) => {
    await source.settle(taken, target.name);
    sum.redriven += taken.length;
  };
  for await (const { letters, done, torn } of source.find(shardId)) {
    sum.done += done;
    sum.torn += torn;
    const whole = letters.filter(isWhole);
    sum.withoutData += letters.length - whole.length;
    for (const batch of batches(whole, target.batchSize)) {
      if (signal.aborted) return sum;
      const problem = await target.take(batch, settle);
      if (problem === undefined) {
        failuresInARow = 0;
        continue;
      }
      say(problem);
      sum.failed += batch.length;
      failuresInARow += 1;
      if (failuresInARow === FAILURES_MAX) {
        say(`${FAILURES_MAX} failures in a row: the rest is left as it is.`);
        return sum;
      }
    }
  }
  return sum;
}

/** Those of one shard together, in order, at most `size` of them. */
function* batches(letters: readonly WholeLetter[], size: number): Generator<WholeLetter[]> {
  let batch: WholeLetter[] = [];
  for (const letter of letters) {
    const [first] = batch;
    if (first && (batch.length === size || first.shardId !== letter.shardId)) {
      yield batch;
      batch = [];
    }
    batch.push(letter);
  }
  if (batch.length > 0) yield batch;
}

function isWhole(letter: DeadLetter): letter is WholeLetter {
  return letter.data !== undefined;
}
