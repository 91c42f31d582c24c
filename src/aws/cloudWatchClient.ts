// Publishes metrics to CloudWatch. The SDK is loaded when the first metrics are published, so that
// it does not slow the start down.

import type { CloudWatch, MetricDatum } from "@aws-sdk/client-cloudwatch";
import type { Settings } from "../config/settings.ts";
import type { Emit } from "../events.ts";
import { removeOverhead, USER_AGENT } from "./clientOverhead.ts";
import { KeptConnections } from "./connections/keptConnections.ts";
import { withoutVersionWarning } from "./kinesisClient.ts";
import { type AwsOptions, isLoopback } from "./options.ts";
import { renewRefusedKeys } from "./refusedKeys.ts";
import { watchCalls } from "./watchedCalls.ts";

export interface MetricsSender {
  /** One PutMetricData call. */
  put(namespace: string, data: readonly MetricDatum[], signal: AbortSignal): Promise<void>;
  close(): void;
}

const MAX_CONNECTIONS = 1;
const CONNECT_TIMEOUT_MS = 2_000;
/** As Java: a call that takes longer fails, and its metrics are dropped. */
const REQUEST_TIMEOUT_MS = 5_000;
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_ATTEMPTS = 3;

/** @param reach finds region and credentials; called once, at the first call. */
export function metricsSender(reach: () => Promise<AwsOptions>, emit: Emit): MetricsSender {
  let client: Promise<CloudWatch> | undefined;
  return {
    async put(Namespace, data, abortSignal) {
      client ??= open(reach, emit);
      // A client that could not be made is made again at the next call.
      const made = await client.catch((error: unknown) => {
        client = undefined;
        throw error;
      });
      await made.putMetricData({ Namespace, MetricData: [...data] }, { abortSignal });
    },
    close() {
      void client?.then((made) => made.destroy()).catch(() => undefined);
    },
  };
}

async function open(reach: () => Promise<AwsOptions>, emit: Emit): Promise<CloudWatch> {
  const [{ CloudWatch }, options] = await Promise.all([
    import("@aws-sdk/client-cloudwatch"),
    reach(),
  ]);
  const client = withoutVersionWarning(
    () =>
      new CloudWatch({
        ...USER_AGENT,
        ...options,
        maxAttempts: MAX_ATTEMPTS,
        // Compression would cost more CPU time than it saves of the network.
        disableRequestCompression: true,
        requestHandler: new KeptConnections({
          maxConnections: MAX_CONNECTIONS,
          connectTimeoutMs: CONNECT_TIMEOUT_MS,
          requestTimeoutMs: REQUEST_TIMEOUT_MS,
          maxBodyBytes: MAX_BODY_BYTES,
          allocate: Buffer.allocUnsafe,
        }),
      }),
  );
  removeOverhead(client);
  renewRefusedKeys(client, options.credentials);
  watchCalls(client, "cloudwatch", emit);
  return client;
}

/**
 * The endpoint of an emulator of Kinesis, if none of CloudWatch is set. The metrics of a test would
 * go to AWS, so nothing is published.
 */
export function emulatorWithoutCloudWatch({
  services,
}: {
  readonly services: Pick<Settings["services"], "kinesis" | "cloudwatch">;
}): string | undefined {
  const { AWS_ENDPOINT_URL: all, AWS_ENDPOINT_URL_KINESIS: ofKinesis } = process.env;
  const { AWS_ENDPOINT_URL_CLOUDWATCH: ofCloudWatch } = process.env;
  const stream = services.kinesis.endpoint ?? (ofKinesis || all);
  if (stream === undefined || !isLoopback(stream)) return undefined;
  return services.cloudwatch.endpoint || ofCloudWatch || all ? undefined : stream;
}
