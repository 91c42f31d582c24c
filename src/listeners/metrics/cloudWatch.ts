// Statistics as PutMetricData calls.

import type { Statistic } from "./statistics.ts";

/** CloudWatch accepts 1,000 metrics and 1 MB in one call. */
const METRICS_PER_CALL = 500;

interface MetricDatum {
  readonly MetricName: string;
  readonly Unit: Statistic["unit"];
  readonly Timestamp: Date;
  readonly Dimensions: { readonly Name: string; readonly Value: string }[];
  readonly StatisticValues: {
    readonly SampleCount: number;
    readonly Sum: number;
    readonly Minimum: number;
    readonly Maximum: number;
  };
}

/** Java makes a call for 20 metrics. Fewer calls cost less, here and on the bill. */
export function putCalls(
  statistics: readonly Statistic[],
  nowMs: number,
): readonly (readonly MetricDatum[])[] {
  const data = statistics.map((statistic) => datumOf(statistic, new Date(nowMs)));
  const calls: (readonly MetricDatum[])[] = [];
  for (let from = 0; from < data.length; from += METRICS_PER_CALL) {
    calls.push(data.slice(from, from + METRICS_PER_CALL));
  }
  return calls;
}

function datumOf({ name, unit, dimensions, ...values }: Statistic, Timestamp: Date): MetricDatum {
  return {
    MetricName: name,
    Unit: unit,
    Timestamp,
    Dimensions: dimensions.map(([Name, Value]) => ({ Name, Value })),
    StatisticValues: {
      SampleCount: values.count,
      Sum: values.sum,
      Minimum: values.min,
      Maximum: values.max,
    },
  };
}
