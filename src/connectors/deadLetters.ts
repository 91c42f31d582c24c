// Records that cannot be written go to `onFailureDestination`, with the cause. Without a
// destination they would be lost, so the shard waits for one.

import type { Clock } from "../clock.ts";
import type { DeadLetter } from "../model/deadLetter.ts";
import { counted } from "../plural.ts";
import { retry } from "../retry.ts";
import type { Sink } from "../sinks/sink.ts";
import type { Refusal } from "./buffer.ts";
import { type Log, messageOf } from "./pipeline.ts";

export interface DeadLetters {
  /** @returns false if the signal ended it: what is stored is unknown. */
  store(refusals: readonly Refusal[], signal: AbortSignal): Promise<boolean>;
}

export interface DeadLetterParts {
  /** Absent: the shard waits. */
  readonly sink: Sink<DeadLetter> | undefined;
  readonly origin: Pick<DeadLetter, "applicationName" | "streamName" | "workerId">;
  readonly clock: Clock;
  readonly log: Log;
}

const REMIND_MS = 60_000;
const BACKOFF = { baseMs: 1_000, capMs: 30_000 };

export function deadLetters(parts: DeadLetterParts): DeadLetters {
  const { sink, clock, log } = parts;
  return {
    async store(refusals, signal) {
      const what = describe(refusals);
      while (!sink) {
        if (signal.aborted) return false;
        log(
          "error",
          `${what}. Nothing is lost: the shard waits. Set onFailureDestination (such as file:dead-letters.ndjson), which receives such records, and restart the connector.`,
        );
        await clock.sleep(REMIND_MS, signal);
      }
      const letters = lettersOf(refusals, parts);
      const onFailure = ({ error }: { readonly error: unknown }) =>
        log("error", `the dead letters cannot be stored: ${messageOf(error)}. The shard waits.`);
      const policy = { clock, backoff: BACKOFF, onFailure };
      const isStored = await retry(
        () => sink.send(letters, signal).then(() => true),
        policy,
        signal,
      );
      if (isStored) log("warn", `${what}; stored as ${counted(letters.length, "dead letter")}`);
      return isStored ?? false;
    },
  };
}

function describe(refusals: readonly Refusal[]): string {
  const [first] = refusals;
  const place = first && `${first.record.sequenceNumber}#${first.record.subSequenceNumber}`;
  return `${counted(refusals.length, "record")} cannot be written; the first is ${place}: ${first?.reason}`;
}

/** One letter for each record, also if several of its objects are refused. */
function lettersOf(
  refusals: readonly Refusal[],
  { origin, clock }: DeadLetterParts,
): readonly DeadLetter[] {
  const buriedAt = new Date(clock.now()).toISOString();
  const byRecord = new Map(refusals.toReversed().map((refusal) => [refusal.record, refusal]));
  return [...byRecord.values()].reverse().map(({ record, reason }) => ({
    version: 1,
    ...origin,
    ...record,
    attempts: 1,
    condition: "refused",
    cause: { reason, waitingFor: "emit", lastStderr: [] },
    buriedAt,
  }));
}
