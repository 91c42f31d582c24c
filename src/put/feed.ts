// Gives the records of a source to the producer, in order, and waits while it has no room. It
// counts what is stored on the progress line.

import { type ProducerCore, sizeOf } from "../producer/core.ts";
import { type Failed, isStored } from "../producer/record.ts";
import { unlessAborted } from "../signals.ts";
import type { Progress } from "./progress.ts";

export interface Feed {
  readonly core: ProducerCore;
  readonly streamName: string;
  readonly batches: AsyncIterable<readonly Buffer[]>;
  readonly partitionKey: (data: Uint8Array) => string;
  readonly progress: Progress;
  /** Receives each record that fails. @param number of the record, from 1. */
  readonly onFailed: (number: number, failed: Failed) => void;
  readonly signal: AbortSignal;
}

/** Returns when the source has ended, or the signal is aborted: then the rest is not taken. */
export async function feed(parts: Feed): Promise<void> {
  const { core, streamName, batches, partitionKey, progress, onFailed, signal } = parts;
  let number = 0;
  for await (const batch of batches) {
    for (const data of batch) {
      if (signal.aborted) return;
      const record = { data, partitionKey: partitionKey(data) };
      const at = ++number;
      const problem = core.problemOf(streamName, record);
      if (problem) {
        onFailed(at, { ...problem, attempts: [] });
        continue;
      }
      if (!core.tryRoom(sizeOf(record))) {
        await unlessAborted(core.room(sizeOf(record)), signal);
        if (signal.aborted) return;
      }
      core.put(streamName, record, (outcome) => {
        if (isStored(outcome)) progress.stored(data, outcome.attempts.length);
        else onFailed(at, outcome);
      });
    }
  }
}
