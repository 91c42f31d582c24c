// Metrics as KCL publishes them: values of the same name and dimensions are merged into a statistic
// set, until they are published.

export type Unit = "Count" | "Milliseconds" | "Bytes" | "None";

/** `summary` is published at the levels SUMMARY and DETAILED, `detailed` at DETAILED only. */
export type Level = "summary" | "detailed";

export type Dimension = "Operation" | "ShardId" | "WorkerIdentifier" | "StreamId";

export type Dimensions = Readonly<Partial<Record<Dimension, string>>>;

/** One value, as it is measured. */
export interface Datum {
  readonly name: string;
  readonly unit: Unit;
  readonly level: Level;
  readonly dimensions: Dimensions;
  readonly value: number;
}

/** The values of one metric since it was last published. */
export interface Statistic {
  readonly name: string;
  readonly unit: Unit;
  readonly dimensions: readonly (readonly [name: string, value: string])[];
  sum: number;
  min: number;
  max: number;
  count: number;
}

export interface StatisticsSettings {
  readonly metricsLevel: "NONE" | "SUMMARY" | "DETAILED";
  /** The most metrics that are kept; others are dropped. */
  readonly metricsMaxQueueSize: number;
  /** Names of dimensions, or ALL. A dimension that is not named is left out, the value is not. */
  readonly metricsEnabledDimensions: readonly string[];
}

interface Enabled {
  readonly enabled: Statistic["dimensions"];
  readonly text: string;
}

export class Statistics {
  readonly #settings: StatisticsSettings;
  #byKey = new Map<string, Statistic>();
  /** What is left of each set of dimensions, by the object that has them. */
  readonly #enabled = new WeakMap<Dimensions, Enabled>();
  #dropped = 0;

  constructor(settings: StatisticsSettings) {
    this.#settings = settings;
  }

  add({ name, unit, level, dimensions, value }: Datum): void {
    const { metricsLevel, metricsMaxQueueSize } = this.#settings;
    if (metricsLevel === "NONE" || (level === "detailed" && metricsLevel !== "DETAILED")) return;
    const { enabled, text } = this.#enabledOf(dimensions);
    const key = `${name} ${text}`;
    const known = this.#byKey.get(key);
    if (known) {
      known.sum += value;
      known.min = Math.min(known.min, value);
      known.max = Math.max(known.max, value);
      known.count += 1;
    } else if (this.#byKey.size >= metricsMaxQueueSize) {
      this.#dropped += 1;
    } else {
      const first = { sum: value, min: value, max: value, count: 1 };
      this.#byKey.set(key, { name, unit, dimensions: enabled, ...first });
    }
  }

  /** Removes and returns everything, and how many values were dropped because of the limit. */
  take(): { readonly statistics: readonly Statistic[]; readonly dropped: number } {
    const taken = { statistics: [...this.#byKey.values()], dropped: this.#dropped };
    this.#byKey = new Map();
    this.#dropped = 0;
    return taken;
  }

  #enabledOf(dimensions: Dimensions): Enabled {
    const known = this.#enabled.get(dimensions);
    if (known) return known;
    const enabled = Object.entries(dimensions).filter(([each]) => this.#isEnabled(each));
    const made = { enabled, text: enabled.flat().join(" ") };
    this.#enabled.set(dimensions, made);
    return made;
  }

  #isEnabled(dimension: string): boolean {
    const { metricsEnabledDimensions: enabled } = this.#settings;
    return enabled.some((each) => each === dimension || each.toUpperCase() === "ALL");
  }
}
