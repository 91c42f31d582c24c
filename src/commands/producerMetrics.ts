// Opens the ways out of a producer's metrics that its settings, the command line and the
// environment ask for: CloudWatch, Prometheus and OTLP. What nobody asks for is not loaded.

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { emulatorWithoutCloudWatch, metricsSender } from "../aws/cloudWatchClient.ts";
import { awsOptions } from "../aws/options.ts";
import type { Clock } from "../clock.ts";
import type { LoadedProducer } from "../config/producer/loadProducer.ts";
import type { Emit } from "../events.ts";
import { wantsOtlp } from "../host/metrics.ts";
import { putCalls } from "../listeners/metrics/cloudWatch.ts";
import { producerCounters } from "../listeners/metrics/producerCounters.ts";
import {
  producerStatistics,
  seriesOf,
  wantedFigures,
} from "../listeners/metrics/producerMetrics.ts";
import { producerText } from "../listeners/metrics/producerText.ts";
import { Publisher } from "../listeners/metrics/publisher.ts";
import { UserError } from "../model/errors.ts";
import { formatHttpAddress, type HttpAddress } from "../model/httpAddress.ts";
import { VERSION } from "../package.ts";
import type { ProducerCore } from "../producer/core.ts";

export type TcpAddress = Extract<HttpAddress, { readonly type: "tcp" }>;

export interface ProducerMetricsParts {
  readonly loaded: LoadedProducer;
  /** Without a properties file nothing goes to CloudWatch, where each metric costs money. */
  readonly isConfigured: boolean;
  /** Where Prometheus asks; absent: nowhere. */
  readonly http: TcpAddress | undefined;
  readonly core: ProducerCore;
  readonly clock: Clock;
  readonly emit: Emit;
}

interface Way {
  close(): Promise<void>;
}

/** How often the number of pending records is sampled. */
const SAMPLE_MS = 1_000;

export async function openProducerMetrics(parts: ProducerMetricsParts): Promise<Way> {
  const { core, clock } = parts;
  const ways = [await pushed(parts), published(parts), await served(parts)];
  const open = ways.filter((way) => way !== undefined);
  const end = new AbortController();
  const sampling = open.length > 0 ? sample(core, clock, end.signal) : Promise.resolve();
  return {
    async close() {
      end.abort();
      await sampling;
      await Promise.allSettled(open.map((way) => way.close()));
    },
  };
}

async function sample(core: ProducerCore, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    core.samplePending();
    await clock.sleep(SAMPLE_MS, signal);
  }
}

/** Prometheus and OTLP get every level: only the granularity bounds their number. */
function seriesOfCore({ core, loaded }: ProducerMetricsParts) {
  const { metricsGranularity } = loaded.values;
  const detail = { metricsLevel: "detailed", metricsGranularity } as const;
  return () => seriesOf(wantedFigures(core.metrics(), detail));
}

async function pushed(parts: ProducerMetricsParts): Promise<Way | undefined> {
  if (!wantsOtlp(process.env)) return undefined;
  const { pushMetrics } = await import("../listeners/metrics/otlp.ts");
  const { clock } = parts;
  const series = seriesOfCore(parts);
  const sinceMs = clock.now();
  const close = pushMetrics({
    scope: { name: "kinesis-multilang", version: VERSION },
    target: {
      "service.name": process.env["OTEL_SERVICE_NAME"] ?? "kinesis-multilang-producer",
      "service.version": VERSION,
    },
    read: () => producerCounters(series(), sinceMs),
    now: () => clock.now(),
  });
  return { close };
}

function published({
  loaded: { values, service, cloudwatch },
  isConfigured,
  core,
  clock,
  emit,
}: ProducerMetricsParts): Way | undefined {
  if (values.metricsLevel === "none" || !isConfigured) return undefined;
  const services = { kinesis: service, cloudwatch };
  const emulator = emulatorWithoutCloudWatch({ services });
  if (emulator !== undefined) {
    const message = `Kinesis is at the local endpoint ${emulator} and no endpoint of CloudWatch is set, so no metrics are published to CloudWatch. Set cloudwatchEndpoint to publish them, or metricsLevel = none.`;
    emit({ type: "configNotice", message });
    return undefined;
  }
  const sender = metricsSender(() => awsOptions({ services }, "cloudwatch", { emit }), emit);
  return new Publisher({
    intervalMs: values.metricsUploadDelay,
    take: () => {
      const figures = wantedFigures(core.takeMetrics(), values);
      return { statistics: producerStatistics(figures), dropped: 0 };
    },
    async send(statistics, signal) {
      for (const data of putCalls(statistics, clock.now())) {
        await sender.put(values.metricsNamespace, data, signal);
      }
    },
    close: () => sender.close(),
    emit,
    clock,
  });
}

async function served(parts: ProducerMetricsParts): Promise<Way | undefined> {
  const { http, emit } = parts;
  if (http === undefined) return undefined;
  const series = seriesOfCore(parts);
  const server = createServer((request, response) => {
    const isKnown = request.method === "GET" && request.url?.split("?")[0] === "/metrics";
    response.writeHead(isKnown ? 200 : 404, { "content-type": "text/plain; version=0.0.4" });
    response.end(isKnown ? producerText(series()) : "There is only GET /metrics.\n");
  });
  const { port } = await listening(server, http);
  emit({ type: "producerMetricsServed", address: formatHttpAddress({ ...http, port }) });
  return {
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listening(server: Server, { host, port }: TcpAddress): Promise<AddressInfo> {
  server.listen({ host, port });
  try {
    await once(server, "listening");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "EADDRINUSE" ? "another process listens there" : String(code);
    const where = formatHttpAddress({ type: "tcp", host, port });
    throw new UserError(`--http: the metrics cannot be served at ${where}: ${why}.`, { cause });
  }
  return server.address() as AddressInfo;
}
