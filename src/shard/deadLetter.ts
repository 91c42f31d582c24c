// A record that no child could process, with its cause, on its way to the destination for such records.

import type { ChildFailed } from "../child/childFailed.ts";
import type { RecordBatch } from "../model/batch.ts";
import type { DeadLetter, Verdict } from "../model/deadLetter.ts";

/** Where a letter comes from. */
export type DeadLetterOrigin = Pick<
  DeadLetter,
  "applicationName" | "streamName" | "workerId" | "shardId"
>;

export function deadLetters(
  records: RecordBatch,
  origin: DeadLetterOrigin,
  verdict: Verdict,
  nowMs: number,
): readonly DeadLetter[] {
  return Array.from({ length: records.count }, (_, index) => {
    const { data, ...record } = records.at(index);
    return {
      version: 1,
      ...origin,
      ...record,
      ...verdict,
      buriedAt: new Date(nowMs).toISOString(),
      data,
    };
  });
}

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

/** Records of an aggregate that is not delivered because of its hash keys. */
export const MISPLACED: Verdict = {
  attempts: 0,
  condition: "hashRange",
  cause: { reason: "aggregateHashRangeCheck = drop", waitingFor: "", lastStderr: [] },
};
