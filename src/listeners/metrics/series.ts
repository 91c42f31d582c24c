// Counters, histograms and gauges in memory, which Prometheus and OTLP read. The metrics SDK of
// OpenTelemetry could hold them, but it exports the labels of a shard that has moved away for ever,
// and keeps values without limit for a reader that does not read.

export type Labels = Readonly<Record<string, string>>;

/** The value of one set of labels. */
interface Point<Value> {
  readonly labels: Labels;
  /** When it began to count, as wall clock time. */
  readonly sinceMs: number;
  readonly value: Value;
}

export interface Distribution {
  /** The values in each bucket, and those above the last bound. */
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

export type Metric = { readonly name: string; readonly description: string } & (
  | { readonly kind: "counter" | "gauge"; readonly points: readonly Point<number>[] }
  | {
      readonly kind: "histogram";
      readonly unit: string;
      /** The upper bounds of the buckets. */
      readonly bounds: readonly number[];
      readonly points: readonly Point<Distribution>[];
    }
);

/** A present value for each set of labels. */
export type Values = () => Iterable<readonly [value: number | undefined, labels?: Labels]>;

type Source = () => Metric;

const NONE: Labels = {};

export class Instruments {
  readonly #now: () => number;
  readonly #sources: Source[] = [];
  readonly #counters: Counter[] = [];

  /** @param now the wall clock. */
  constructor(now: () => number) {
    this.#now = now;
  }

  counter(name: string, description: string): Counter {
    const counter = new Counter(this.#now);
    this.#counters.push(counter);
    this.#sources.push(() => ({ name, description, kind: "counter", points: counter.points() }));
    return counter;
  }

  /** @param bounds the upper bounds of its buckets, in seconds. */
  histogram(name: string, description: string, bounds: readonly number[]): Histogram {
    const histogram = new Histogram(this.#now, bounds);
    const named = { name, description, kind: "histogram", unit: "s", bounds } as const;
    this.#sources.push(() => ({ ...named, points: histogram.points() }));
    return histogram;
  }

  /** @param kind `counter` when the values are totals that somebody else counts. */
  observe(kind: "counter" | "gauge", name: string, description: string, values: Values): void {
    const sinceMs = this.#now();
    this.#sources.push(() => ({
      ...{ name, description, kind },
      points: [...values()].flatMap(([value, labels = NONE]) =>
        value === undefined ? [] : [{ labels, sinceMs, value }],
      ),
    }));
  }

  /** Ends the series of all counters that have these labels, and perhaps more. */
  forget(labels: Labels): void {
    for (const counter of this.#counters) counter.forget(labels);
  }

  read(): readonly Metric[] {
    return this.#sources.map((source) => source()).filter(({ points }) => points.length > 0);
  }
}

export class Counter {
  readonly #now: () => number;
  readonly #byKey = new Map<string, { labels: Labels; sinceMs: number; value: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Adding 0 makes the series known, so that its first increase can be seen. */
  add(value: number, labels: Labels = NONE): void {
    const key = keyOf(labels);
    const known = this.#byKey.get(key);
    if (known) known.value += value;
    else this.#byKey.set(key, { labels, sinceMs: this.#now(), value });
  }

  forget(past: Labels): void {
    const wanted = Object.entries(past);
    for (const [key, { labels }] of this.#byKey) {
      if (wanted.every(([name, value]) => labels[name] === value)) this.#byKey.delete(key);
    }
  }

  points(): readonly Point<number>[] {
    return [...this.#byKey.values()];
  }
}

interface Counted {
  readonly labels: Labels;
  readonly sinceMs: number;
  readonly value: { readonly counts: number[]; sum: number; count: number };
}

export class Histogram {
  readonly #now: () => number;
  readonly #bounds: readonly number[];
  readonly #byKey = new Map<string, Counted>();

  constructor(now: () => number, bounds: readonly number[]) {
    this.#now = now;
    this.#bounds = bounds;
  }

  record(value: number, labels: Labels = NONE): void {
    const key = keyOf(labels);
    const known = this.#byKey.get(key) ?? this.#begun(key, labels);
    const above = this.#bounds.findIndex((bound) => value <= bound);
    const bucket = above < 0 ? this.#bounds.length : above;
    known.value.counts[bucket] = (known.value.counts[bucket] ?? 0) + 1;
    known.value.sum += value;
    known.value.count += 1;
  }

  points(): readonly Point<Distribution>[] {
    return [...this.#byKey.values()];
  }

  #begun(key: string, labels: Labels): Counted {
    const counts = Array.from({ length: this.#bounds.length + 1 }, () => 0);
    const begun = { labels, sinceMs: this.#now(), value: { counts, sum: 0, count: 0 } };
    this.#byKey.set(key, begun);
    return begun;
  }
}

function keyOf(labels: Labels): string {
  return Object.values(labels).join("\n");
}
