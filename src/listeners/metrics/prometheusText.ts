// Metrics in the text format of Prometheus, version 0.0.4.

import type { Distribution, Labels, Metric } from "./series.ts";

/** @param target what the process is, for the labels of `target_info`. */
export function prometheusText(metrics: readonly Metric[], target: Labels): string {
  const info: Metric = {
    name: "target_info",
    description: "What the process is.",
    kind: "gauge",
    points: [{ labels: target, sinceMs: 0, value: 1 }],
  };
  return [info, ...metrics].map(metricText).join("");
}

function metricText(metric: Metric): string {
  const { name, description, kind } = metric;
  const lines = [`# HELP ${name} ${description}`, `# TYPE ${name} ${kind}`];
  if (metric.kind === "histogram") {
    for (const { labels, value } of metric.points) {
      lines.push(...distributionLines(name, labelsText(labels), metric.bounds, value));
    }
  } else {
    for (const { labels, value } of metric.points)
      lines.push(line(name, labelsText(labels), value));
  }
  return `${lines.join("\n")}\n`;
}

function distributionLines(
  name: string,
  labels: string,
  bounds: readonly number[],
  { counts, sum, count }: Distribution,
): readonly string[] {
  let below = 0;
  const buckets = [...bounds, "+Inf"].map((bound, index) => {
    below += counts[index] ?? 0;
    return line(`${name}_bucket`, [labels, `le="${bound}"`].filter(Boolean).join(","), below);
  });
  return [line(`${name}_count`, labels, count), line(`${name}_sum`, labels, sum), ...buckets];
}

function line(name: string, labels: string, value: number): string {
  return `${name}${labels && `{${labels}}`} ${value}`;
}

function labelsText(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",");
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
