// The metrics of a producer as OTLP gets them: the sum and the count of each as counters, because
// OTLP's exporter knows no summaries.

import type { Series } from "./producerMetrics.ts";
import type { Metric } from "./series.ts";

/** @param sinceMs when the producer began to count, as wall clock time. */
export function producerCounters(all: readonly Series[], sinceMs: number): readonly Metric[] {
  const byName = new Map<string, Series[]>();
  for (const series of all) byName.set(series.name, [...(byName.get(series.name) ?? []), series]);
  return [...byName].flatMap(([name, same]) =>
    (["sum", "count"] as const).map((part) => ({
      name: `${name}_${part}`,
      description: same[0]?.meaning ?? "",
      kind: "counter" as const,
      points: same.map((series) => ({ labels: series.labels, sinceMs, value: series[part] })),
    })),
  );
}
