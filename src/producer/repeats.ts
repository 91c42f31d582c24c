// Reports of the same trouble: the first at once, and then one for all in a while.

const PERIOD_MS = 10_000;

export class Repeats {
  readonly #kinds = new Map<string, { reportedMs: number; count: number }>();

  /** @returns how many happened since the last report, if it is time for one. */
  add(kind: string, count: number, nowMs: number): number | undefined {
    const known = this.#kinds.get(kind) ?? { reportedMs: Number.NEGATIVE_INFINITY, count: 0 };
    this.#kinds.set(kind, known);
    known.count += count;
    if (nowMs - known.reportedMs < PERIOD_MS) return undefined;
    const { count: total } = known;
    known.reportedMs = nowMs;
    known.count = 0;
    return total;
  }
}
