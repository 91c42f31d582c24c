// Sends records that are not delivered to any child to the dead-letter destination. The shard waits
// until the destination has them: until then they are neither skipped nor checkpointed.

import type { ChildFailed } from "../child/childFailed.ts";
import type { Clock } from "../clock.ts";
import type { Emit } from "../events.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { DeadLetter, DeadLetterDestination, DeadLetterReason } from "../model/deadLetter.ts";
import { parseStreamShard } from "../model/shardKey.ts";
import { type FailedAttempt, retry } from "../retry.ts";

/** The fields of a dead letter that name its origin. */
export type DeadLetterOrigin = Pick<
  DeadLetter,
  "applicationName" | "streamName" | "workerId" | "shardId"
>;

export interface DeadLetterPlace {
  readonly destination: DeadLetterDestination;
  readonly origin: Omit<DeadLetterOrigin, "shardId">;
}

/** Records for the destination, and why they go there. */
export interface DeadLettering {
  readonly records: RecordBatch;
  readonly shardId: string;
  readonly place: DeadLetterPlace;
  readonly reason: DeadLetterReason;
}

interface SendParts {
  readonly clock: Clock;
  readonly emit: Emit;
}

const BACKOFF = { baseMs: 500, capMs: 30_000 };

/** Why the records of an aggregate with hash keys of another shard are not delivered. */
export const MISPLACED: DeadLetterReason = {
  attempts: 0,
  condition: "hashRange",
  cause: { reason: "aggregateHashRangeCheck = drop", waitingFor: "", lastStderr: [] },
};

/**
 * Retries until the destination has the records or the signal is aborted.
 *
 * @returns whether the destination has the records. If not, the signal was aborted first.
 */
export async function sendToDeadLetters(
  { records, shardId, place, reason }: DeadLettering,
  { clock, emit }: SendParts,
  over: AbortSignal,
): Promise<boolean> {
  const origin = { ...place.origin, shardId, ...streamAndShard(shardId) };
  const letters = lettersOf(records, origin, reason, clock.now());
  const send = async () => {
    await place.destination.send(letters, over);
    return true;
  };
  const onFailure = (failure: FailedAttempt) =>
    emit({ type: "destinationTrouble", shardId, ...failure });
  const sent = await retry(send, { clock, backoff: BACKOFF, onFailure }, over);
  if (!sent) return false;
  const { first, last, count } = records;
  const { condition } = reason;
  emit({ type: "recordsBuried", shardId, records: count, first, last, condition });
  return true;
}

/** Overrides the origin of an application that reads several streams. */
function streamAndShard(key: string): Partial<DeadLetterOrigin> {
  const { streamName, shardId } = parseStreamShard(key) ?? {};
  return streamName === undefined || shardId === undefined ? {} : { streamName, shardId };
}

function lettersOf(
  records: RecordBatch,
  origin: DeadLetterOrigin,
  reason: DeadLetterReason,
  nowMs: number,
): readonly DeadLetter[] {
  return Array.from({ length: records.count }, (_, index) => {
    const { data, ...record } = records.at(index);
    return {
      version: 1,
      ...origin,
      ...record,
      ...reason,
      buriedAt: new Date(nowMs).toISOString(),
      data,
    };
  });
}

/** The child's failure in the format of a dead letter. */
export function causeOf(failure: ChildFailed): DeadLetter["cause"] {
  const { reason, waitingFor, exitCode, signal, lastStderr } = failure;
  return {
    reason,
    waitingFor,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
    lastStderr,
  };
}
