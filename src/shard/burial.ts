// Brings records that no child could process into safety, however long that takes: the shard waits, the data does not go.

import type { ChildFailed } from "../child/childFailed.ts";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { RecordBatch } from "../model/batch.ts";
import { backoffMs } from "../retry.ts";
import { type DeadLetterDestination, type DeadLetterOrigin, deadLetters } from "./deadLetter.ts";
import type { Sentence, Suspects } from "./suspects.ts";

export interface DeadLetterPlace {
  readonly destination: DeadLetterDestination;
  readonly origin: Omit<DeadLetterOrigin, "shardId">;
}

export interface Burial {
  readonly records: RecordBatch;
  readonly shardId: string;
  readonly place: DeadLetterPlace;
  /** What the last child died of. */
  readonly error: ChildFailed;
  readonly sentence: Extract<Sentence, { verdict: "condemn" }>;
}

const BACKOFF = { baseMs: 500, capMs: 30_000 };

/** Returns when the records are safe and from now on left out, or when the signal is aborted. */
export async function buryRecords(
  { records, shardId, place, error, sentence }: Burial,
  suspects: Suspects,
  { clock, emit }: { readonly clock: Clock; readonly emit: Emit },
  over: AbortSignal,
): Promise<void> {
  const letters = deadLetters(records, { ...place.origin, shardId }, error, sentence, clock.now());
  for (let attempt = 0; !over.aborted; attempt += 1) {
    try {
      await place.destination.send(letters, over);
      suspects.bury(records);
      const { first, last, count } = records;
      const condition = sentence.why;
      emit({ type: "recordsBuried", shardId, records: count, first, last, condition });
      return;
    } catch (cause) {
      if (over.aborted) return;
      const retryInMs = backoffMs(attempt, BACKOFF);
      emit({ type: "destinationTrouble", shardId, error: cause, attempt: attempt + 1, retryInMs });
      await clock.sleep(retryInMs, over);
    }
  }
}
