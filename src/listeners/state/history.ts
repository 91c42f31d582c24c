// What happened in the last fifteen minutes, in steps of ten seconds: lag, records and bytes. The
// memory is fixed when the history is made, whatever happens: about 1 KiB.

export const STEP_MS = 10_000;
/** Fifteen minutes. */
export const STEPS = 90;
/** The lag of a step in which no lag was seen. */
const UNSEEN = -1;

/** One value for each step, oldest first; the last step is still under way. */
export interface Series {
  /** The longest lag that was seen, in milliseconds; `null` in a step in which none was seen. */
  readonly lagMs: readonly (number | null)[];
  readonly records: readonly number[];
  readonly bytes: readonly number[];
}

export interface Rate {
  readonly recordsPerSecond: number;
  readonly bytesPerSecond: number;
}

export class History {
  readonly #lagMs = new Float32Array(STEPS).fill(UNSEEN);
  readonly #records = new Float32Array(STEPS);
  readonly #bytes = new Float32Array(STEPS);
  /** The step under way, counted from the clock's start. */
  #step: number | undefined;
  #firstMs = 0;

  lag(lagMs: number, nowMs: number): void {
    const slot = this.#slot(nowMs);
    this.#lagMs[slot] = Math.max(this.#lagMs[slot] ?? UNSEEN, lagMs);
  }

  processed(records: number, bytes: number, nowMs: number): void {
    const slot = this.#slot(nowMs);
    this.#records[slot] = (this.#records[slot] ?? 0) + records;
    this.#bytes[slot] = (this.#bytes[slot] ?? 0) + bytes;
  }

  /** The rate in the step under way and the one before it. */
  rate(nowMs: number): Rate {
    const slot = this.#slot(nowMs);
    const before = (slot + STEPS - 1) % STEPS;
    const intoStepMs = nowMs % STEP_MS;
    const seconds = Math.min(STEP_MS + intoStepMs, Math.max(nowMs - this.#firstMs, 1_000)) / 1_000;
    const sum = (values: Float32Array) => (values[slot] ?? 0) + (values[before] ?? 0);
    return {
      recordsPerSecond: sum(this.#records) / seconds,
      bytesPerSecond: sum(this.#bytes) / seconds,
    };
  }

  /** @param steps how many, from the newest back. */
  series(nowMs: number, steps = STEPS): Series {
    const slot = this.#slot(nowMs);
    const slots = Array.from({ length: steps }, (_, i) => (slot + STEPS - steps + 1 + i) % STEPS);
    return {
      lagMs: slots.map((at) => {
        const lagMs = this.#lagMs[at] ?? UNSEEN;
        return lagMs === UNSEEN ? null : Math.round(lagMs);
      }),
      records: slots.map((at) => this.#records[at] ?? 0),
      bytes: slots.map((at) => this.#bytes[at] ?? 0),
    };
  }

  /** The place of the step under way, after those that have passed since were emptied. */
  #slot(nowMs: number): number {
    const step = Math.floor(nowMs / STEP_MS);
    if (this.#step === undefined) {
      this.#step = step;
      this.#firstMs = nowMs;
    }
    for (let gone = Math.min(step - this.#step, STEPS); gone > 0; gone--) {
      const at = (step - gone + 1) % STEPS;
      this.#lagMs[at] = UNSEEN;
      this.#records[at] = 0;
      this.#bytes[at] = 0;
    }
    this.#step = Math.max(step, this.#step);
    return this.#step % STEPS;
  }
}
