// What the chaos run knows about each record that it gave to the producer, and what is wrong with
// what was read back. The checker is pure.

import type { Delivery } from "./journal.ts";

/** A record, and what the producer has reported about it. */
export interface Given {
  readonly key: string;
  readonly n: number;
  /** Reported to be on disk. */
  accepted: boolean;
  /** `sequence#sub-sequence`, if reported to be stored. */
  place?: string;
  /** The code of a failure: the record was not taken. */
  failed?: string;
  /** Failed attempts that may have stored it, and deaths of the producer before its result. */
  doubts: number;
}

export interface ProducerFindings {
  readonly given: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly delivered: number;
  /** Deliveries beyond the first of each record. */
  readonly repeated: number;
  readonly problems: readonly string[];
}

export const isAcknowledged = ({ accepted, place }: Given): boolean =>
  accepted || place !== undefined;

/** @param deliveries in the order in which the consumer received them. */
export function checkProducer(
  ledger: readonly Given[],
  deliveries: readonly Delivery[],
): ProducerFindings {
  const problems: string[] = [];
  const placesOf = new Map<string, string[]>();
  const newest = new Map<string, number>();
  for (const { key, n, seq } of deliveries) {
    const id = `${key} ${n}`;
    const places = placesOf.get(id);
    if (places) {
      places.push(seq);
      continue;
    }
    placesOf.set(id, [seq]);
    const before = newest.get(key) ?? -1;
    if (n < before) problems.push(`${id} arrived after ${key} ${before}`);
    newest.set(key, Math.max(before, n));
  }
  let repeated = 0;
  for (const given of ledger) {
    const id = `${given.key} ${given.n}`;
    const places = placesOf.get(id) ?? [];
    placesOf.delete(id);
    if (isAcknowledged(given) && places.length === 0) problems.push(`${id} is missing`);
    if (given.place !== undefined && !places.includes(given.place)) {
      problems.push(`${id} was reported at ${given.place}, but read at ${places.join(", ")}`);
    }
    if (given.failed !== undefined && places.length > 0) {
      problems.push(`${id} was refused (${given.failed}), but read at ${places.join(", ")}`);
    }
    repeated += Math.max(0, places.length - 1);
    if (places.length > 1 && given.doubts === 0) {
      problems.push(`${id} was read at ${places.join(", ")}, and nothing explains that`);
    }
  }
  for (const id of placesOf.keys()) problems.push(`${id} was read, but never put`);
  return {
    given: ledger.length,
    acknowledged: ledger.filter(isAcknowledged).length,
    refused: ledger.filter(({ failed }) => failed !== undefined).length,
    delivered: deliveries.length,
    repeated,
    problems,
  };
}
