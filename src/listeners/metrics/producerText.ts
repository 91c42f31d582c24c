// The metrics of a producer as the text that Prometheus reads. A statistic set is a summary without
// quantiles, a type that OpenTelemetry does not have.

import type { Series } from "./producerMetrics.ts";

export function producerText(series: readonly Series[]): string {
  const byName = new Map<string, Series[]>();
  for (const each of series) byName.set(each.name, [...(byName.get(each.name) ?? []), each]);
  const lines = [...byName].flatMap(([name, same]) => [
    `# HELP ${name} ${same[0]?.meaning}`,
    `# TYPE ${name} summary`,
    ...same.flatMap(({ labels, sum, count }) => {
      const text = labelsText(labels);
      return [`${name}_sum${text} ${sum}`, `${name}_count${text} ${count}`];
    }),
  ]);
  return lines.map((line) => `${line}\n`).join("");
}

function labelsText(labels: Series["labels"]): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
