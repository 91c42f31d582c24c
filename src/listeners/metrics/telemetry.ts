// The metrics SDK of OpenTelemetry with its two readers: one that Prometheus asks, one that pushes
// to a collector. Loaded only when one of them is used.

import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  MeterProvider,
  MetricReader,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import type { Emit } from "../../events.ts";
import { recordEvents } from "./instruments.ts";

export interface TelemetryOptions {
  readonly applicationName: string;
  readonly streamName: string;
  readonly workerId: string;
  readonly version: string;
  /** Push to the collector that the OTEL_ environment variables name. */
  readonly pushes: boolean;
}

export interface Telemetry {
  readonly saw: Emit;
  /** Everything as the text that Prometheus reads. */
  readonly prometheusText: () => Promise<string>;
  /** Pushes what is left. */
  close(): Promise<void>;
}

export function openTelemetry(options: TelemetryOptions): Telemetry {
  const { applicationName, streamName, workerId, version, pushes } = options;
  const asked = new AskedReader();
  const resource = resourceFromAttributes({
    "service.name": process.env["OTEL_SERVICE_NAME"] ?? applicationName,
    "service.version": version,
    "service.instance.id": workerId,
    "aws.kinesis.stream_name": streamName,
  });
  const pushing = pushes
    ? [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(), ...intervalSet() })]
    : [];
  const provider = new MeterProvider({ resource, readers: [asked, ...pushing] });
  const serializer = new PrometheusSerializer("", false, undefined, false, true);
  return {
    saw: recordEvents(provider.getMeter("kinesis-multilang", version)),
    async prometheusText() {
      const { resourceMetrics } = await asked.collect();
      return serializer.serialize(resourceMetrics);
    },
    close: () => provider.shutdown(),
  };
}

/** Collects when it is asked. */
class AskedReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
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
