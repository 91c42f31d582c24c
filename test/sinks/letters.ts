// Dead letters for tests.

import type { DeadLetter } from "../../src/model/deadLetter.ts";

export function letter(number: number, given: Partial<DeadLetter> = {}): DeadLetter {
  return {
    version: 1,
    applicationName: "app",
    streamName: "words",
    workerId: "worker",
    shardId: "shardId-000000000000",
    sequenceNumber: String(number),
    subSequenceNumber: 0,
    partitionKey: `key-${number}`,
    approximateArrivalTimestamp: 1_700_000_000_000,
    attempts: 2,
    condition: "attempts",
    cause: {
      reason: "exit",
      waitingFor: "processRecords",
      exitCode: 3,
      lastStderr: ['cannot digest {"version":1,"so":"it goes"}'],
    },
    buriedAt: "2026-01-01T00:00:00.000Z",
    data: Buffer.from(`word-${number}`).toString("base64"),
    ...given,
  };
}

export function letters(count: number, given?: Partial<DeadLetter>): readonly DeadLetter[] {
  return Array.from({ length: count }, (_, index) => letter(index + 1, given));
}

export const numbersOf = (found: readonly DeadLetter[]) =>
  found.map(({ sequenceNumber }) => Number(sequenceNumber));

export const never = new AbortController().signal;
