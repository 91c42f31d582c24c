// Figures by name and dimensions, as statistic sets: since the start, since they were last taken,
// and for each of the last 60 seconds. Each sample counts for everything, for its stream, and for
// its shard.

/** The dimensions of the KPL's metrics, from the widest to the narrowest. */
export interface Dimensions {
  readonly ErrorCode?: string;
  readonly StreamName?: string;
  readonly ShardId?: string;
}

export interface StatisticSet {
  sum: number;
  sampleCount: number;
  min: number;
  max: number;
}

export interface Figure extends Readonly<StatisticSet> {
  readonly name: string;
  readonly dimensions: Dimensions;
}

export interface Query {
  readonly name?: string | undefined;
  /** 1 to 60; absent: since the start. */
  readonly windowSeconds?: number | undefined;
}

const WINDOW_SECONDS = 60;

interface Series {
  readonly name: string;
  readonly dimensions: Dimensions;
  readonly total: StatisticSet;
  untaken: StatisticSet;
  readonly seconds: { second: number; readonly set: StatisticSet }[];
}

export class Statistics {
  readonly #nowMs: () => number;
  readonly #series = new Map<string, Series>();

  /** @param nowMs on the monotonic clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Adds samples to the figures of each level of the dimensions. */
  add(name: string, dimensions: Dimensions, samples: Readonly<StatisticSet>): void {
    if (samples.sampleCount === 0) return;
    const { ErrorCode, StreamName, ShardId } = dimensions;
    const code = ErrorCode === undefined ? {} : { ErrorCode };
    this.#addTo(name, code, samples);
    if (StreamName === undefined) return;
    this.#addTo(name, { ...code, StreamName }, samples);
    if (ShardId !== undefined) this.#addTo(name, { ...code, StreamName, ShardId }, samples);
  }

  one(name: string, dimensions: Dimensions, value: number): void {
    this.add(name, dimensions, { sum: value, sampleCount: 1, min: value, max: value });
  }

  figures({ name, windowSeconds }: Query = {}): Figure[] {
    const since = this.#second() - (windowSeconds ?? 0);
    return [...this.#series.values()]
      .filter((series) => name === undefined || series.name === name)
      .map(({ name: itsName, dimensions, total, seconds }) => {
        if (windowSeconds === undefined) return { name: itsName, dimensions, ...total };
        const sum = empty();
        for (const { second, set } of seconds) if (second > since) merge(sum, set);
        return { name: itsName, dimensions, ...sum };
      })
      .filter(({ sampleCount }) => sampleCount > 0);
  }

  /** The figures of all samples since it was last called. */
  take(): Figure[] {
    return [...this.#series.values()].flatMap((series) => {
      const { name, dimensions, untaken } = series;
      if (untaken.sampleCount === 0) return [];
      series.untaken = empty();
      return [{ name, dimensions, ...untaken }];
    });
  }

  #addTo(name: string, dimensions: Dimensions, samples: Readonly<StatisticSet>): void {
    const { ErrorCode = "", StreamName = "", ShardId = "" } = dimensions;
    const key = `${name} ${ErrorCode} ${StreamName} ${ShardId}`;
    let series = this.#series.get(key);
    if (!series) {
      series = { name, dimensions, total: empty(), untaken: empty(), seconds: [] };
      this.#series.set(key, series);
    }
    merge(series.total, samples);
    merge(series.untaken, samples);
    const second = this.#second();
    const last = series.seconds.at(-1);
    if (last?.second === second) {
      merge(last.set, samples);
      return;
    }
    series.seconds.push({ second, set: { ...samples } });
    if (series.seconds.length > WINDOW_SECONDS) series.seconds.shift();
  }

  #second(): number {
    return Math.floor(this.#nowMs() / 1000);
  }
}

function empty(): StatisticSet {
  return { sum: 0, sampleCount: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
}

function merge(into: StatisticSet, { sum, sampleCount, min, max }: Readonly<StatisticSet>): void {
  into.sum += sum;
  into.sampleCount += sampleCount;
  into.min = Math.min(into.min, min);
  into.max = Math.max(into.max, max);
}

/** The statistic set of values. */
export function setOf(values: Iterable<number>): StatisticSet {
  const set = empty();
  for (const value of values) merge(set, { sum: value, sampleCount: 1, min: value, max: value });
  return set;
}

/** The statistic set of the same value several times. */
export function times(count: number, value: number): StatisticSet {
  return { sum: count * value, sampleCount: count, min: value, max: value };
}
