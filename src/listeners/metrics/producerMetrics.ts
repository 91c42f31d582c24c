// What the metrics of a producer are: the KPL's names, units, levels and dimensions, so that
// existing dashboards and alarms go on working. docs/producer.md lists them.

import type { Statistic } from "./statistics.ts";

/** A statistic set of the producer. */
export interface ProducerFigure {
  readonly name: string;
  readonly dimensions: {
    readonly ErrorCode?: string;
    readonly StreamName?: string;
    readonly ShardId?: string;
  };
  readonly sum: number;
  readonly sampleCount: number;
  readonly min: number;
  readonly max: number;
}

export interface Detail {
  readonly metricsLevel: "none" | "summary" | "detailed";
  readonly metricsGranularity: "global" | "stream" | "shard";
}

interface Metric {
  readonly unit: Statistic["unit"];
  readonly level: "summary" | "detailed";
  readonly meaning: string;
}

const summary = (unit: Metric["unit"], meaning: string): Metric => ({
  unit,
  level: "summary",
  meaning,
});
const detailed = (unit: Metric["unit"], meaning: string): Metric => ({
  unit,
  level: "detailed",
  meaning,
});

export const PRODUCER_METRICS: Readonly<Record<string, Metric>> = {
  UserRecordsReceived: detailed("Count", "User records that the producer took."),
  UserRecordsPending: detailed("Count", "User records without an outcome."),
  UserRecordsPut: summary("Count", "1 for each user record that was stored, 0 if it failed."),
  UserRecordsDataPut: detailed("Bytes", "Payloads of the user records that were stored."),
  KinesisRecordsPut: summary("Count", "1 for each Kinesis record that was stored, 0 if refused."),
  KinesisRecordsDataPut: detailed("Bytes", "Size of the Kinesis records that were stored."),
  ErrorsByCode: summary("Count", "Refused Kinesis records and failed calls, by error code."),
  AllErrors: summary("Count", "1 for each refused Kinesis record or failed call, 0 if stored."),
  RetriesPerRecord: detailed("Count", "Attempts of a stored user record after the first."),
  UserRecordExpired: summary("Count", "User records that recordTtl ended."),
  BufferingTime: summary("Milliseconds", "Wait of a user record before each attempt."),
  RequestTime: detailed("Milliseconds", "Time of a PutRecords call."),
  UserRecordsPerKinesisRecord: detailed("Count", "User records in a Kinesis record."),
  KinesisRecordsPerPutRecordsRequest: detailed("Count", "Kinesis records in a call."),
  UserRecordsPerPutRecordsRequest: detailed("Count", "User records in a call."),
};

/** The figures that the settings ask for. Each sample is in the figures of every granularity. */
export function wantedFigures(
  figures: readonly ProducerFigure[],
  { metricsLevel, metricsGranularity }: Detail,
): readonly ProducerFigure[] {
  if (metricsLevel === "none") return [];
  return figures.filter(({ name, dimensions: { StreamName, ShardId } }) => {
    if (metricsLevel === "summary" && PRODUCER_METRICS[name]?.level !== "summary") return false;
    if (metricsGranularity === "global") return StreamName === undefined;
    return metricsGranularity === "shard" || ShardId === undefined;
  });
}

/** The figures as CloudWatch receives them, with the KPL's order of dimensions. */
export function producerStatistics(figures: readonly ProducerFigure[]): readonly Statistic[] {
  return figures.map(({ name, dimensions, sum, sampleCount: count, min, max }) => ({
    name,
    unit: PRODUCER_METRICS[name]?.unit ?? "None",
    dimensions: (["ErrorCode", "StreamName", "ShardId"] as const).flatMap((each) => {
      const value = dimensions[each];
      return value === undefined ? [] : [[each, value] as const];
    }),
    sum,
    count,
    min,
    max,
  }));
}

/** How Prometheus and OTLP name what a figure counts, in their units. */
export interface Series {
  /** `kinesis_multilang_producer_request_seconds` */
  readonly name: string;
  readonly meaning: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly sum: number;
  readonly count: number;
}

const PREFIX = "kinesis_multilang_producer_";

/**
 * Each sample once: a figure without the part that is in figures with more dimensions. So sums over
 * labels are right.
 *
 * @param figures since the start.
 */
export function seriesOf(figures: readonly ProducerFigure[]): readonly Series[] {
  const rests = new Map(
    figures.map((figure) => {
      const { name, dimensions, sum, sampleCount: count } = figure;
      return [keyOf(name, dimensions), { figure, sum, count }];
    }),
  );
  for (const { name, dimensions, sum, sampleCount } of figures) {
    const wider = widerThan(dimensions);
    const rest = wider && rests.get(keyOf(name, wider));
    if (!rest) continue;
    rest.sum -= sum;
    rest.count -= sampleCount;
  }
  return [...rests.values()]
    .filter(({ count }) => count > 0)
    .map(({ figure: { name, dimensions }, sum, count }) => {
      const { unit = "None", meaning = "" } = PRODUCER_METRICS[name] ?? {};
      const inSeconds = unit === "Milliseconds";
      const { ErrorCode: code, StreamName: stream, ShardId: shard } = dimensions;
      return {
        name: seriesName(name),
        meaning,
        labels: { ...(stream && { stream }), ...(shard && { shard }), ...(code && { code }) },
        sum: inSeconds ? sum / 1000 : sum,
        count,
      };
    });
}

/** The name of a metric's series. */
export function seriesName(metric: string): string {
  const snake = metric.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
  const unit = PRODUCER_METRICS[metric]?.unit === "Milliseconds" ? "_seconds" : "";
  return `${PREFIX}${snake}${unit}`;
}

type FigureDimensions = ProducerFigure["dimensions"];

function keyOf(name: string, { ErrorCode, StreamName, ShardId }: FigureDimensions): string {
  return [name, ErrorCode, StreamName, ShardId].join(" ");
}

function widerThan({ ErrorCode, StreamName, ShardId }: FigureDimensions) {
  if (StreamName === undefined) return undefined;
  const code = ErrorCode === undefined ? {} : { ErrorCode };
  return ShardId === undefined ? code : { ...code, StreamName };
}
