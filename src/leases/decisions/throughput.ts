// The throughput of a shard as KCL 3.x computes it: KiB/s between two renewals, averaged with the
// previous value. The leader of a 3.x fleet assigns leases by it.

const ALPHA = 0.5;

export class Throughput {
  #bytes = 0;
  #sinceMs: number | undefined;
  #average: number | undefined;

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The average up to now; `undefined` at the first call, which starts the measurement. */
  average(nowMs: number): number | undefined {
    const sinceMs = this.#sinceMs;
    if (sinceMs !== undefined && nowMs > sinceMs) {
      const now = this.#bytes / 1024 / ((nowMs - sinceMs) / 1000);
      this.#average = this.#average === undefined ? now : ALPHA * now + (1 - ALPHA) * this.#average;
    }
    this.#sinceMs = nowMs;
    this.#bytes = 0;
    return this.#average;
  }
}
