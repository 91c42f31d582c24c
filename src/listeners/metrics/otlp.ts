// Pushes metrics to a collector with OpenTelemetry's exporter, which the OTEL_ variables configure.
// Loaded only when they name a collector.

import { type HrTime, ValueType } from "@opentelemetry/api";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import type { Labels, Metric } from "./series.ts";

export interface PushOptions {
  readonly scope: { readonly name: string; readonly version: string };
  /** What the process is. */
  readonly target: Labels;
  readonly read: () => readonly Metric[];
  /** The wall clock. */
  readonly now: () => number;
}

/** @returns a function that pushes what is left, and ends. */
export function pushMetrics({ scope, target, read, now }: PushOptions): () => Promise<void> {
  const resource = resourceFromAttributes({ ...target });
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    ...intervalSet(),
  });
  reader.setMetricProducer({
    async collect() {
      const metrics = read().map((metric) => dataOf(metric, hrTime(now())));
      return { resourceMetrics: { resource, scopeMetrics: [{ scope, metrics }] }, errors: [] };
    },
  });
  return () => reader.shutdown();
}

/** The SDK reads this variable only where its own launcher starts it. */
function intervalSet(): {
  readonly exportIntervalMillis?: number;
  readonly exportTimeoutMillis?: number;
} {
  const text = process.env["OTEL_METRIC_EXPORT_INTERVAL"];
  const exportIntervalMillis = Number(text);
  if (!text || !(exportIntervalMillis > 0)) return {};
  // The SDK refuses a longer timeout than the interval.
  return { exportIntervalMillis, exportTimeoutMillis: Math.min(30_000, exportIntervalMillis) };
}

function dataOf(metric: Metric, endTime: HrTime): MetricData {
  const { name, description, kind } = metric;
  const common = {
    descriptor: {
      ...{ name, description, valueType: ValueType.DOUBLE },
      unit: kind === "histogram" ? metric.unit : "",
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  if (kind === "histogram") {
    const boundaries = [...metric.bounds];
    const dataPoints = metric.points.map(({ labels, sinceMs, value: { counts, sum, count } }) => ({
      ...{ attributes: labels, startTime: hrTime(sinceMs), endTime },
      value: { buckets: { boundaries, counts: [...counts] }, sum, count },
    }));
    return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints };
  }
  const dataPoints = metric.points.map(({ labels, sinceMs, value }) => ({
    ...{ attributes: labels, startTime: hrTime(sinceMs), endTime, value },
  }));
  return kind === "gauge"
    ? { ...common, dataPointType: DataPointType.GAUGE, dataPoints }
    : { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1_000), Math.round((ms % 1_000) * 1e6)];
}
