// Opens the ways out of the metrics that the settings and the environment ask for. What nobody asks
// for is not loaded.

import { open } from "node:fs/promises";
import { emulatorWithoutCloudWatch, metricsSender } from "../aws/cloudWatchClient.ts";
import { awsOptions } from "../aws/options.ts";
import type { Clock } from "../clock.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import type { Settings } from "../config/settings.ts";
import type { Emit, Event } from "../events.ts";
import { putCalls } from "../listeners/metrics/cloudWatch.ts";
import { emfLines } from "../listeners/metrics/emf.ts";
import { kclMetrics } from "../listeners/metrics/kclMetrics.ts";
import { Publisher, type PublisherParts } from "../listeners/metrics/publisher.ts";
import { Statistics } from "../listeners/metrics/statistics.ts";
import { UserError } from "../model/errors.ts";
import { VERSION } from "../package.ts";
import { Sampling } from "./sampling.ts";

export interface MetricsParts {
  readonly emit: Emit;
  readonly clock: Clock;
  /** Somebody may ask for the text of Prometheus. */
  readonly isScraped: boolean;
}

export interface Metrics {
  /** To be called with every event. */
  readonly listeners: readonly Emit[];
  /** Present when some metrics need samples. */
  readonly sampling?: Sampling;
  /** What Prometheus reads; present when `isScraped` is. */
  readonly prometheusText?: () => string;
  /** Publishes what is left. Never rejects. */
  close(): Promise<void>;
}

export async function openMetrics(loaded: LoadedSettings, parts: MetricsParts): Promise<Metrics> {
  const { settings } = loaded;
  const pushes = wantsOtlp(process.env);
  const telemetry =
    parts.isScraped || pushes ? await telemetryFor(settings, pushes, parts.clock) : undefined;
  const sampling = telemetry && new Sampling();
  const publisher = await publisherFor(settings, parts);
  const heard = [sampling, telemetry, publisher && { saw: publisher.saw }];
  return {
    listeners: heard.flatMap((each) => (each ? [(event: Event) => each.saw(event)] : [])),
    ...(sampling && { sampling }),
    ...(telemetry && { prometheusText: telemetry.prometheusText }),
    async close() {
      await Promise.allSettled([telemetry?.close(), publisher?.publisher.close()]);
    },
  };
}

export function wantsOtlp(environment: NodeJS.ProcessEnv): boolean {
  const {
    OTEL_EXPORTER_OTLP_ENDPOINT: all,
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: own,
    OTEL_SDK_DISABLED: disabled,
    OTEL_METRICS_EXPORTER: exporter,
  } = environment;
  return Boolean(own || all) && disabled?.toLowerCase() !== "true" && exporter !== "none";
}

async function telemetryFor(settings: Settings, pushes: boolean, clock: Clock) {
  const { openTelemetry } = await import("../listeners/metrics/telemetry.ts");
  const { applicationName, streamName, workerId } = settings;
  return openTelemetry({ applicationName, streamName, workerId, version: VERSION, pushes, clock });
}

async function publisherFor(
  settings: Settings,
  { emit, clock }: MetricsParts,
): Promise<{ readonly publisher: Publisher; readonly saw: Emit } | undefined> {
  const { metricsLevel, emfDestination, applicationName } = settings;
  if (metricsLevel === "NONE") return undefined;
  const values = new Statistics(settings);
  const saw = kclMetrics((datum) => values.add(datum));
  const take = () => values.take();
  const common = { intervalMs: settings.metricsBufferTimeMillis, take, emit, clock };
  if (emfDestination !== undefined) {
    const write = await lineWriter(emfDestination);
    const send: PublisherParts["send"] = (statistics) =>
      write(emfLines(applicationName, statistics, clock.now()).join(""));
    return { publisher: new Publisher({ ...common, send }), saw };
  }
  const emulator = emulatorWithoutCloudWatch(settings);
  if (emulator !== undefined) {
    const message = `Kinesis is at the local endpoint ${emulator} and no endpoint of CloudWatch is set, so no metrics are published to CloudWatch. Set cloudWatchClient.endpointOverride to publish them, or metricsLevel = NONE.`;
    emit({ type: "configNotice", message });
    return undefined;
  }
  const sender = metricsSender(() => awsOptions(settings, "cloudwatch", { emit }), emit);
  const publisher = new Publisher({
    ...common,
    async send(statistics, signal) {
      for (const data of putCalls(statistics, clock.now())) {
        await sender.put(applicationName, data, signal);
      }
    },
    close: () => sender.close(),
  });
  return { publisher, saw };
}

/** @param destination `stdout`, or `file:PATH`. */
async function lineWriter(destination: string): Promise<(text: string) => Promise<void>> {
  if (destination === "stdout") {
    return (text) =>
      new Promise((resolve, reject) => {
        process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
      });
  }
  const path = destination.slice("file:".length);
  // Opened for each write, so that the file can be rotated.
  const append = async (text: string) => {
    const file = await open(path, "a");
    try {
      await file.appendFile(text);
    } finally {
      await file.close();
    }
  };
  await append("").catch((cause: unknown) => {
    throw new UserError(`emfDestination: ${path} cannot be written.`, { cause });
  });
  return append;
}
