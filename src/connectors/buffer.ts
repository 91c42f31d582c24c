// Collects what is to be emitted, and decides where one batch ends and the next begins. Pure.

import type { Item, SourceRecord } from "./pipeline.ts";

export interface BufferLimits {
  readonly records: number;
  /** A batch exceeds it only if a single record does. */
  readonly bytes: number;
  /** The longest time that a record waits for others. */
  readonly ms: number;
}

/** A record that cannot be transformed. */
export interface Refusal {
  readonly record: SourceRecord;
  readonly reason: string;
}

/** What became of a record: objects to emit, none if it is filtered out, or a refusal. */
export type Prepared<U> =
  | { readonly record: SourceRecord; readonly items: readonly U[] }
  | { readonly record: SourceRecord; readonly refusal: Refusal };

export interface Place {
  readonly sequenceNumber: string;
  readonly subSequenceNumber: number;
}

export interface Batch<U> {
  readonly items: readonly U[];
  readonly refusals: readonly Refusal[];
  /** The position of the last record that the batch settles, filtered ones included. */
  readonly through: Place;
}

export class RecordBuffer<U extends Item> {
  readonly #limits: BufferLimits;
  #items: U[] = [];
  #refusals: Refusal[] = [];
  #bytes = 0;
  #sinceMs = 0;
  #through: Place | undefined;

  constructor(limits: BufferLimits) {
    this.#limits = limits;
  }

  /** Nothing in it waits for the target; filtered records may have passed. */
  get isEmpty(): boolean {
    return this.#items.length === 0 && this.#refusals.length === 0;
  }

  get isFull(): boolean {
    return this.#items.length + this.#refusals.length >= this.#limits.records;
  }

  /** The position of the last record added. */
  get through(): Place | undefined {
    return this.#through;
  }

  /** False: take the batch first. */
  fits(prepared: Prepared<U>): boolean {
    if (this.isEmpty || sizeOf(prepared) === 0) return true;
    return !this.isFull && this.#bytes + sizeOf(prepared) <= this.#limits.bytes;
  }

  add(prepared: Prepared<U>, nowMs: number): void {
    const { record } = prepared;
    const { sequenceNumber, subSequenceNumber } = record;
    this.#through = { sequenceNumber, subSequenceNumber };
    const size = sizeOf(prepared);
    if (size === 0) return;
    if (this.isEmpty) this.#sinceMs = nowMs;
    if ("refusal" in prepared) this.#refusals.push(prepared.refusal);
    else this.#items.push(...prepared.items);
    this.#bytes += size;
  }

  /** How long the batch may still wait; `undefined` if nothing waits. */
  dueInMs(nowMs: number): number | undefined {
    return this.isEmpty ? undefined : Math.max(0, this.#sinceMs + this.#limits.ms - nowMs);
  }

  /** The batch so far; the buffer is empty afterwards. */
  take(): Batch<U> | undefined {
    const through = this.#through;
    if (this.isEmpty || !through) return undefined;
    const batch = { items: this.#items, refusals: this.#refusals, through };
    this.#items = [];
    this.#refusals = [];
    this.#bytes = 0;
    return batch;
  }
}

/** At least 1 for a record that is kept, so that 0 means: filtered out. */
function sizeOf<U extends Item>(prepared: Prepared<U>): number {
  if ("refusal" in prepared) return Math.max(1, prepared.refusal.record.data.length);
  return prepared.items.reduce((sum, { bytes }) => sum + Math.max(1, bytes), 0);
}
