// What a shard brings, as KCL 3.x reckons it: KiB a second between two renewals, averaged with what was before. The leader
// of a 3.x fleet shares the leases out by it.

const ALPHA = 0.5;

export class Throughput {
  #bytes = 0;
  #sinceMs: number | undefined;
  #average: number | undefined;

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  /** The average up to now; `undefined` at the first time, when there is nothing to reckon from. */
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
