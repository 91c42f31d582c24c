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

export interface SuspectSettings {
  /** Retries of a suspect after its first failure; −1 = for ever. */
  readonly maximumRetryAttempts: number;
  /** −1 = any age. */
  readonly maximumRecordAgeInSeconds: number;
  readonly bisectBatchOnFunctionError: boolean;
}

/** Positions, both included. */
export interface Range {
  readonly first: Position;
  readonly last: Position;
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
  #suspects: Suspect[] = [];
  #buried: Range[] = [];

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
    if (this.#suspects.length === 0 && this.#buried.length === 0) {
      return [{ records, buried: false }];
    }
    const owners = Array.from({ length: records.count }, (_, i) => this.#ownerOf(records, i));
    const starts = owners.flatMap((owner, i) => (i === 0 || owner !== owners[i - 1] ? [i] : []));
    return starts.map((from, i) => ({
      records: records.slice(from, starts[i + 1] ?? records.count),
      buried: owners[from] === BURIED,
    }));
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
    this.#forget(range);
    this.#buried.push(range);
  }

  /** A delivery succeeded: whatever is in it was innocent. */
  acquit(records: RecordBatch): void {
    const range = rangeOf(records);
    if (range && this.#suspects.length > 0) this.#forget(range);
  }

  /** Everything up to here is checkpointed and comes back no more. */
  settle(checkpoint: Position): void {
    const isAhead = ({ last }: Range) => comparePositions(last, checkpoint) > 0;
    this.#suspects = this.#suspects.filter(isAhead);
    this.#buried = this.#buried.filter(isAhead);
  }

  #ownerOf(records: RecordBatch, index: number): Suspect | typeof BURIED | undefined {
    const position = records.position(index);
    if (this.#buried.some((range) => contains(range, position))) return BURIED;
    return this.#suspects.find((range) => contains(range, position));
  }

  #find(range: Range): Suspect | undefined {
    return this.#suspects.find((suspect) => isSame(suspect, range));
  }

  #add(range: Range): Suspect {
    // A batch that overlaps an older suspect was cut otherwise by the service; the newer knowledge counts.
    this.#suspects = this.#suspects.filter((known) => !overlaps(known, range));
    const suspect = { ...range, failures: 0, isPart: false };
    this.#suspects.push(suspect);
    return suspect;
  }

  #split(suspect: Suspect, records: RecordBatch, at: number): void {
    this.#forget(suspect);
    for (const part of [records.slice(0, at), records.slice(at)]) {
      const range = rangeOf(part);
      if (range) this.#suspects.push({ ...range, failures: 0, isPart: true });
    }
  }

  #forget(range: Range): void {
    this.#suspects = this.#suspects.filter((known) => !overlaps(known, range));
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

const BURIED = Symbol("buried");

function rangeOf(records: RecordBatch): Range | undefined {
  const { first, last } = records;
  return first && last ? { first, last } : undefined;
}

function contains({ first, last }: Range, position: Position): boolean {
  return comparePositions(first, position) <= 0 && comparePositions(position, last) <= 0;
}

function overlaps(a: Range, b: Range): boolean {
  return comparePositions(a.first, b.last) <= 0 && comparePositions(b.first, a.last) <= 0;
}

function isSame(a: Range, b: Range): boolean {
  return comparePositions(a.first, b.first) === 0 && comparePositions(a.last, b.last) === 0;
}
