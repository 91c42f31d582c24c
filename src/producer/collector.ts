// The PutRecords call in the making. It is sent when it is full, or when the first of its envelopes
// has waited long enough for others.

import type { Envelope } from "./record.ts";

export interface CallLimits {
  readonly maxCount: number;
  /** Data and partition keys. A larger envelope gets its own call. */
  readonly maxBytes: number;
}

export class Collector {
  readonly #limits: CallLimits;
  #envelopes: Envelope[] = [];
  #bytes = 0;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(limits: CallLimits) {
    this.#limits = limits;
  }

  hasRoomFor({ bytes }: Envelope): boolean {
    const { maxCount, maxBytes } = this.#limits;
    if (this.#envelopes.length === 0) return true;
    return this.#envelopes.length < maxCount && this.#bytes + bytes <= maxBytes;
  }

  add(envelope: Envelope): void {
    this.#envelopes.push(envelope);
    this.#bytes += envelope.bytes;
    this.#dueMs = Math.min(this.#dueMs, envelope.collectByMs);
  }

  /** When the call must be sent; infinite while it is empty. */
  get dueMs(): number {
    const isFull =
      this.#envelopes.length >= this.#limits.maxCount || this.#bytes >= this.#limits.maxBytes;
    return isFull ? Number.NEGATIVE_INFINITY : this.#dueMs;
  }

  /** The envelopes of the call. The next call begins empty. */
  take(): readonly Envelope[] {
    const taken = this.#envelopes;
    this.#envelopes = [];
    this.#bytes = 0;
    this.#dueMs = Number.POSITIVE_INFINITY;
    return taken;
  }
}
