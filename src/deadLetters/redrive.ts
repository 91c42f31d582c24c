// Sends dead letters from a source to a target, a batch at a time. Letters that the target has
// taken are marked as redriven at once. Letters that it could not take stay in the source.

import type { DeadLetter } from "../model/deadLetter.ts";
import type { LetterSource } from "./letterSource.ts";

/** A letter with its payload. */
export type WholeLetter = DeadLetter & { readonly data: string };

export type OnTaken = (letters: readonly WholeLetter[]) => Promise<void>;

export interface RedriveTarget {
  /** For messages. */
  readonly name: string;
  readonly batchSize: number;
  /**
   * @param onTaken called with the letters that the target has taken. A target that throws calls it
   *   first for the letters that it took before the failure.
   * @returns why the other letters stay in the source; `undefined` when the target took all
   *   letters.
   */
  take(letters: readonly WholeLetter[], onTaken: OnTaken): Promise<string | undefined>;
  /** Ends the child or the connections of the target. */
  close(): Promise<void>;
}

export interface RedriveOutcome {
  readonly redriven: number;
  /** Letters that the target could not take. */
  readonly failed: number;
  /** Letters without payload: their destination could not store it. */
  readonly withoutData: number;
  /** Letters that were redriven before. */
  readonly done: number;
  /** Pieces that are not complete letters. */
  readonly incomplete: number;
}

/** After this many failures in a row, the fault is in the target and not in the letters. */
const FAILURES_MAX = 5;

interface Redrive {
  readonly source: LetterSource;
  readonly target: RedriveTarget;
  readonly shardId: string | undefined;
  readonly signal: AbortSignal;
  readonly report: (line: string) => void;
}

/**
 * Ends early when the signal is aborted, after the current batch, or after FAILURES_MAX failures in
 * a row.
 */
export async function redrive(parts: Redrive): Promise<RedriveOutcome> {
  const { source, target, shardId, signal, report } = parts;
  const sum = { redriven: 0, failed: 0, withoutData: 0, done: 0, incomplete: 0 };
  let failuresInARow = 0;
  const onTaken: OnTaken = async (taken) => {
    await source.markRedriven(taken, target.name);
    sum.redriven += taken.length;
  };
  for await (const { letters, done, incomplete } of source.read(shardId)) {
    sum.done += done;
    sum.incomplete += incomplete;
    const whole = letters.filter(isWhole);
    sum.withoutData += letters.length - whole.length;
    for (const batch of batches(whole, target.batchSize)) {
      if (signal.aborted) return sum;
      const problem = await target.take(batch, onTaken);
      if (problem === undefined) {
        failuresInARow = 0;
        continue;
      }
      report(problem);
      sum.failed += batch.length;
      failuresInARow += 1;
      if (failuresInARow === FAILURES_MAX) {
        report(
          `redrive stopped after ${FAILURES_MAX} failures in a row. The remaining dead letters are unchanged.`,
        );
        return sum;
      }
    }
  }
  return sum;
}

/** Splits letters into batches of at most `size` letters of one shard, in order. */
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
