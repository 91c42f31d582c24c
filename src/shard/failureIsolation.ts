// Finds the records that make a child fail, and decides what to try next: the same records again,
// half of them, or the dead letters. Pure: the caller reports failures and successes, and this
// class cuts the following batches accordingly. The setting names are those of Lambda's event
// source mapping.
//
// A *failed range* is a range of records that was in flight when a child failed. From then on it is
// delivered alone, without the records before and after it, so that its next failure is evidence
// about this range only.
//
//   first failure                    -> deliver the range again (many crashes do not repeat)
//   second failure, bisecting        -> split it into two ranges; a split does not count as a retry
//   failure of a half                -> split at once, because it contains a bad record and each
//                                       failure costs a new child
//   one record, or not bisecting     -> retry until maximumRetryAttempts, then dead-letter
//   older than maximumRecordAge      -> dead-letter at the first failure; if only some records of
//                                       the range are too old, split it there
//
// Records are excluded from later deliveries only after the destination has stored them.

import type { RecordBatch } from "../model/batch.ts";
import { comparePositions, type Position } from "../model/position.ts";
import { indexesIn, type Range, Ranges } from "./ranges.ts";

export interface IsolationSettings {
  /** Retries of a failed range after its first failure; −1 = no limit. */
  readonly maximumRetryAttempts: number;
  /** −1 = no limit. */
  readonly maximumRecordAgeInSeconds: number;
  readonly bisectBatchOnFunctionError: boolean;
}

interface FailedRange extends Range {
  failures: number;
  /** The range is the result of a split, so it failed as part of a larger one before. */
  readonly isPart: boolean;
}

/** Consecutive records of a batch that are treated alike. */
export interface Part {
  readonly records: RecordBatch;
  /** The dead-letter destination has them: do not deliver them. */
  readonly deadLettered: boolean;
}

/** What to do with the records of a delivery that failed. */
export type NextStep =
  | { readonly step: "retry"; readonly failures: number }
  | { readonly step: "split"; readonly failures: number }
  | { readonly step: "deadLetter"; readonly failures: number; readonly why: "attempts" | "age" };

export class FailureIsolation {
  readonly #settings: IsolationSettings;
  readonly #failed = new Ranges<FailedRange>();
  readonly #deadLettered = new Ranges<Range>();

  constructor(settings: IsolationSettings) {
    this.#settings = settings;
  }

  /** Whether a failure needs the records themselves, not only their positions. */
  get needsRecords(): boolean {
    const { maximumRetryAttempts, maximumRecordAgeInSeconds, bisectBatchOnFunctionError } =
      this.#settings;
    return (
      maximumRetryAttempts >= 0 || maximumRecordAgeInSeconds >= 0 || bisectBatchOnFunctionError
    );
  }

  /** Cuts a batch into the parts in which to deliver it, in order. */
  cut(records: RecordBatch): readonly Part[] {
    if (records.count === 0) return [];
    const known = this.#knownIn(records);
    if (known.length === 0) return [{ records, deadLettered: false }];
    const spans: { readonly from: number; to: number; readonly deadLettered: boolean }[] = [];
    let done = 0;
    const upTo = (to: number, deadLettered: boolean) => {
      const before = spans.at(-1);
      // Adjacent dead-lettered ranges are skipped as one part.
      if (deadLettered && before?.deadLettered) before.to = to;
      else if (to > done) spans.push({ from: done, to, deadLettered });
      done = Math.max(done, to);
    };
    for (const { range, deadLettered } of known) {
      const [from, to] = indexesIn(records, range);
      if (to <= done || to === from) continue;
      upTo(from, false);
      upTo(to, deadLettered);
    }
    upTo(records.count, false);
    return spans.map(({ from, to, deadLettered }) => ({
      records: records.slice(from, to),
      deadLettered,
    }));
  }

  /** A child failed while these records were in flight. */
  failed(records: RecordBatch, nowMs: number): NextStep {
    const range = rangeOf(records);
    if (!range) return { step: "retry", failures: 1 };
    const known = this.#find(range) ?? this.#add(range);
    known.failures += 1;
    const { failures } = known;
    const { maximumRetryAttempts: retries, bisectBatchOnFunctionError: bisect } = this.#settings;
    const tooOld = this.#countTooOld(records, nowMs);
    if (tooOld === records.count) return { step: "deadLetter", failures, why: "age" };
    if (tooOld > 0) {
      this.#split(known, records, tooOld);
      return { step: "split", failures };
    }
    if (bisect && records.count > 1) {
      const tries = retries === 0 || known.isPart ? 1 : 2;
      if (failures < tries) return { step: "retry", failures };
      this.#split(known, records, Math.ceil(records.count / 2));
      return { step: "split", failures };
    }
    if (retries < 0 || failures <= retries) return { step: "retry", failures };
    return { step: "deadLetter", failures, why: "attempts" };
  }

  /** The dead-letter destination has these records: leave them out from now on. */
  deadLettered(records: RecordBatch): void {
    const range = rangeOf(records);
    if (!range) return;
    this.#failed.remove(range);
    this.#deadLettered.add(range);
  }

  /** A child processed these records. */
  processed(records: RecordBatch): void {
    if (this.#failed.count === 0) return;
    const range = rangeOf(records);
    if (range) this.#failed.remove(range);
  }

  /** All records up to this checkpoint are never delivered again. */
  checkpointed(checkpoint: Position): void {
    this.#failed.removeUpTo(checkpoint);
    this.#deadLettered.removeUpTo(checkpoint);
  }

  /** The known ranges that overlap the batch, in order. */
  #knownIn(
    records: RecordBatch,
  ): readonly { readonly range: Range; readonly deadLettered: boolean }[] {
    if (this.#failed.count === 0 && this.#deadLettered.count === 0) return [];
    const batch = rangeOf(records);
    if (!batch) return [];
    return [
      ...this.#deadLettered.touching(batch).map((range) => ({ range, deadLettered: true })),
      ...this.#failed.touching(batch).map((range) => ({ range, deadLettered: false })),
    ].sort((a, b) => comparePositions(a.range.first, b.range.first));
  }

  #find(range: Range): FailedRange | undefined {
    return this.#failed.touching(range).find((known) => isSame(known, range));
  }

  #add(range: Range): FailedRange {
    // The service may cut batches differently the next time. The newer range replaces those that it
    // overlaps.
    const failed = { ...range, failures: 0, isPart: false };
    this.#failed.add(failed);
    return failed;
  }

  #split(failed: FailedRange, records: RecordBatch, at: number): void {
    this.#failed.remove(failed);
    for (const part of [records.slice(0, at), records.slice(at)]) {
      const range = rangeOf(part);
      if (range) this.#failed.add({ ...range, failures: 0, isPart: true });
    }
  }

  /** How many records at the front are too old. Arrival times grow along a shard. */
  #countTooOld(records: RecordBatch, nowMs: number): number {
    const { maximumRecordAgeInSeconds: limit } = this.#settings;
    if (limit < 0) return 0;
    const oldestMs = nowMs - limit * 1000;
    let count = 0;
    while (count < records.count && records.at(count).approximateArrivalTimestamp < oldestMs) {
      count += 1;
    }
    return count;
  }
}

function rangeOf(records: RecordBatch): Range | undefined {
  const { first, last } = records;
  return first && last ? { first, last } : undefined;
}

function isSame(a: Range, b: Range): boolean {
  return comparePositions(a.first, b.first) === 0 && comparePositions(a.last, b.last) === 0;
}
