// Which records a child died of, and what to try next: the same records again, half of them, or a dead letter.
// Pure: it is told what failed and cuts batches accordingly. The words are those of Lambda's event source mapping.
//
// A *suspect* is a range of records that was in a child's hands when it failed. From then on it is delivered by itself,
// neither with what comes before nor with what comes after, so that the next failure says something about it alone.
//
//   fails once                      -> delivered again, as it was (a crash is often nobody's fault)
//   fails again, bisecting          -> two suspects, the halves; splitting does not count as a retry
//   a half fails                    -> split at once: the killer is in one of them, and each failure costs a new child
//   one record, or not bisecting    -> delivered again until maximumRetryAttempts is used up, then condemned
//   older than maximumRecordAge     -> condemned at its first failure; a batch that is old in part is split there
//
// Condemned records go to the destination first, and are left out of every delivery only then.

import type { RecordBatch } from "../model/batch.ts";
import { comparePositions, type Position } from "../model/position.ts";
import { indexesIn, type Range, Ranges } from "./ranges.ts";

export interface SuspectSettings {
  /** Retries of a suspect after its first failure; −1 = for ever. */
  readonly maximumRetryAttempts: number;
  /** −1 = any age. */
  readonly maximumRecordAgeInSeconds: number;
  readonly bisectBatchOnFunctionError: boolean;
}

interface Suspect extends Range {
  failures: number;
  /** It came of a split: where it fails, that is hardly by chance. */
  readonly isPart: boolean;
}

/** Records that belong together in what is known of them. */
export interface Part {
  readonly records: RecordBatch;
  /** They are safe in the destination, and are to be left out. */
  readonly buried: boolean;
}

/** What is to be done about a delivery that failed. */
export type Sentence =
  | { readonly verdict: "retry"; readonly failures: number }
  | { readonly verdict: "split"; readonly failures: number }
  | { readonly verdict: "condemn"; readonly failures: number; readonly why: "attempts" | "age" };

export class Suspects {
  readonly #settings: SuspectSettings;
  readonly #suspects = new Ranges<Suspect>();
  readonly #buried = new Ranges<Range>();

  constructor(settings: SuspectSettings) {
    this.#settings = settings;
  }

  /** Whether more than the place of records that a child failed with may be asked for. */
  get needRecords(): boolean {
    const { maximumRetryAttempts, maximumRecordAgeInSeconds, bisectBatchOnFunctionError } =
      this.#settings;
    return (
      maximumRetryAttempts >= 0 || maximumRecordAgeInSeconds >= 0 || bisectBatchOnFunctionError
    );
  }

  /** The parts in which a batch is to be delivered, in order. */
  cut(records: RecordBatch): readonly Part[] {
    if (records.count === 0) return [];
    const known = this.#knownOf(records);
    if (known.length === 0) return [{ records, buried: false }];
    const spans: { readonly from: number; to: number; readonly buried: boolean }[] = [];
    let done = 0;
    const upTo = (to: number, buried: boolean) => {
      const before = spans.at(-1);
      // Buried records are passed over together, however many ranges they are known by.
      if (buried && before?.buried) before.to = to;
      else if (to > done) spans.push({ from: done, to, buried });
      done = Math.max(done, to);
    };
    for (const { range, buried } of known) {
      const [from, to] = indexesIn(records, range);
      if (to <= done || to === from) continue;
      upTo(from, false);
      upTo(to, buried);
    }
    upTo(records.count, false);
    return spans.map(({ from, to, buried }) => ({ records: records.slice(from, to), buried }));
  }

  /** A child failed while it had these records. */
  accuse(records: RecordBatch, nowMs: number): Sentence {
    const range = rangeOf(records);
    if (!range) return { verdict: "retry", failures: 1 };
    const suspect = this.#find(range) ?? this.#add(range);
    suspect.failures += 1;
    const { failures } = suspect;
    const { maximumRetryAttempts: retries, bisectBatchOnFunctionError: bisect } = this.#settings;
    const tooOld = this.#countTooOld(records, nowMs);
    if (tooOld === records.count) return { verdict: "condemn", failures, why: "age" };
    if (tooOld > 0) {
      this.#split(suspect, records, tooOld);
      return { verdict: "split", failures };
    }
    if (bisect && records.count > 1) {
      const tries = retries === 0 || suspect.isPart ? 1 : 2;
      if (failures < tries) return { verdict: "retry", failures };
      this.#split(suspect, records, Math.ceil(records.count / 2));
      return { verdict: "split", failures };
    }
    if (retries < 0 || failures <= retries) return { verdict: "retry", failures };
    return { verdict: "condemn", failures, why: "attempts" };
  }

  /** These records are safe in the destination: leave them out from now on. */
  bury(records: RecordBatch): void {
    const range = rangeOf(records);
    if (!range) return;
    this.#suspects.remove(range);
    this.#buried.add(range);
  }

  /** A delivery succeeded: whatever is in it was innocent. */
  acquit(records: RecordBatch): void {
    if (this.#suspects.count === 0) return;
    const range = rangeOf(records);
    if (range) this.#suspects.remove(range);
  }

  /** Everything up to here is checkpointed and comes back no more. */
  settle(checkpoint: Position): void {
    this.#suspects.removeUpTo(checkpoint);
    this.#buried.removeUpTo(checkpoint);
  }

  /** What is known of a batch's records, in their order. */
  #knownOf(records: RecordBatch): readonly { readonly range: Range; readonly buried: boolean }[] {
    if (this.#suspects.count === 0 && this.#buried.count === 0) return [];
    const batch = rangeOf(records);
    if (!batch) return [];
    return [
      ...this.#buried.touching(batch).map((range) => ({ range, buried: true })),
      ...this.#suspects.touching(batch).map((range) => ({ range, buried: false })),
    ].sort((a, b) => comparePositions(a.range.first, b.range.first));
  }

  #find(range: Range): Suspect | undefined {
    return this.#suspects.touching(range).find((suspect) => isSame(suspect, range));
  }

  #add(range: Range): Suspect {
    // A batch that overlaps an older suspect was cut otherwise by the service; the newer knowledge counts.
    const suspect = { ...range, failures: 0, isPart: false };
    this.#suspects.add(suspect);
    return suspect;
  }

  #split(suspect: Suspect, records: RecordBatch, at: number): void {
    this.#suspects.remove(suspect);
    for (const part of [records.slice(0, at), records.slice(at)]) {
      const range = rangeOf(part);
      if (range) this.#suspects.add({ ...range, failures: 0, isPart: true });
    }
  }

  /** How many records from the front on are too old: arrival times grow along a shard. */
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
