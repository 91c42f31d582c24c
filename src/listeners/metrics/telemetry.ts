// The metrics of Prometheus and OTLP: one set of instruments, which Prometheus asks for and which
// are pushed to a collector. Loaded only when one of them is used.

import type { Clock } from "../../clock.ts";
import type { Emit } from "../../events.ts";
import { recordEvents } from "./instruments.ts";
import { prometheusText } from "./prometheusText.ts";

export interface TelemetryOptions {
  readonly applicationName: string;
  readonly streamName: string;
  readonly workerId: string;
  readonly version: string;
  /** Push to the collector that the OTEL_ environment variables name. */
  readonly pushes: boolean;
  readonly clock: Clock;
}

export interface Telemetry {
  readonly saw: Emit;
  /** Everything as the text that Prometheus reads. */
  readonly prometheusText: () => string;
  /** Pushes what is left. */
  close(): Promise<void>;
}

export async function openTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const { applicationName, streamName, workerId, version, pushes, clock } = options;
  const { saw, read } = recordEvents(clock);
  const target = {
    "service.name": process.env["OTEL_SERVICE_NAME"] ?? applicationName,
    "service.version": version,
    "service.instance.id": workerId,
    "aws.kinesis.stream_name": streamName,
  };
  const { pushMetrics } = pushes ? await import("./otlp.ts") : {};
  const scope = { name: "kinesis-multilang", version };
  const close = pushMetrics?.({ scope, target, read, now: () => clock.now() });
  const labels = Object.fromEntries(
    Object.entries(target).map(([name, value]) => [name.replaceAll(".", "_"), value]),
  );
  return {
    saw,
    prometheusText: () => prometheusText(read(), labels),
    close: async () => close?.(),
  };
}
