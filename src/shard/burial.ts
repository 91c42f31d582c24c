// Brings records that no child is to get into safety, however long that takes: the shard waits, the data does not go.

import type { ChildFailed } from "../child/childFailed.ts";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { DeadLetterDestination, Verdict } from "../model/deadLetter.ts";
import { backoffMs } from "../retry.ts";
import { causeOf, type DeadLetterOrigin, deadLetters } from "./deadLetter.ts";
import type { Sentence, Suspects } from "./suspects.ts";

export interface DeadLetterPlace {
  readonly destination: DeadLetterDestination;
  readonly origin: Omit<DeadLetterOrigin, "shardId">;
}

/** Records, and where they go. */
export interface Grave {
  readonly records: RecordBatch;
  readonly shardId: string;
  readonly place: DeadLetterPlace;
}

export interface Burial extends Grave {
  /** What the last child died of. */
  readonly error: ChildFailed;
  readonly sentence: Extract<Sentence, { verdict: "condemn" }>;
}

interface BurialParts {
  readonly clock: Clock;
  readonly emit: Emit;
}

const BACKOFF = { baseMs: 500, capMs: 30_000 };

/** Returns when the records are safe and from now on left out, or when the signal is aborted. */
export async function buryRecords(
  { error, sentence, ...grave }: Burial,
  suspects: Suspects,
  parts: BurialParts,
  over: AbortSignal,
): Promise<void> {
  const { failures: attempts, why: condition } = sentence;
  const verdict = { attempts, condition, cause: causeOf(error) };
  if (await bury(grave, verdict, parts, over)) suspects.bury(grave.records);
}

/** @returns whether the records are safe; else the signal was aborted before. */
export async function bury(
  { records, shardId, place }: Grave,
  verdict: Verdict,
  { clock, emit }: BurialParts,
  over: AbortSignal,
): Promise<boolean> {
  const letters = deadLetters(records, { ...place.origin, shardId }, verdict, clock.now());
  for (let attempt = 0; !over.aborted; attempt += 1) {
    try {
      await place.destination.send(letters, over);
      const { first, last, count } = records;
      const { condition } = verdict;
      emit({ type: "recordsBuried", shardId, records: count, first, last, condition });
      return true;
    } catch (cause) {
      if (over.aborted) return false;
      const retryInMs = backoffMs(attempt, BACKOFF);
      emit({ type: "destinationTrouble", shardId, error: cause, attempt: attempt + 1, retryInMs });
      await clock.sleep(retryInMs, over);
    }
  }
  return false;
}
