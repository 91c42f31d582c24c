// Every property key of a producer: its type, bounds and default. The names are the KPL's. A file
// may write them in PascalCase, as the KPL does, or in camelCase. The last group is ours.

import { z } from "zod";
import { flag, matching, oneOf, text, wholeNumber } from "../values.ts";

/** The largest value of Java's long. */
const MAX_LONG = 2n ** 63n - 1n;
const GIB = 2 ** 30;

/** A whole number whose upper bound in the KPL is that of a long: larger ones mean the same. */
function long(min: number, of?: string) {
  const allowed = `a whole number${of ? ` of ${of}` : ""} from ${min} to ${MAX_LONG}`;
  return z
    .string()
    .transform((value, context): number => {
      const digits = value.trim();
      if (/^\d{1,19}$/.test(digits) && BigInt(digits) <= MAX_LONG && Number(digits) >= min) {
        return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
      }
      context.addIssue({ code: "custom", message: allowed });
      return z.NEVER;
    })
    .describe(allowed);
}

const kplKeys = {
  aggregationEnabled: flag().default(true),
  aggregationMaxCount: long(1).default(4_294_967_295),
  aggregationMaxSize: wholeNumber({ min: 64, max: 10_485_760, of: "bytes" }).default(51_200),
  collectionMaxCount: wholeNumber({ min: 1, max: 500 }).default(500),
  collectionMaxSize: long(52_224, "bytes").default(5_242_880),
  // The KPL's default is 1 MiB. Ours is what the stream accepts.
  maxUserRecordSize: wholeNumber({ min: 64, max: 10_485_760, of: "bytes" }).optional(),
  recordMaxBufferedTime: long(0, "milliseconds").default(100),
  // The KPL's default is 30,000. Ours never gives up a record because of time.
  recordTtl: long(100, "milliseconds").optional(),
  // The KPL's default is 150, which makes the service refuse records. Ours follows the service.
  rateLimit: long(1).default(100),
  failIfThrottled: flag().default(false),
  maxConnections: wholeNumber({ min: 1, max: 256 }).default(24),
  requestTimeout: wholeNumber({ min: 100, max: 600_000, of: "milliseconds" }).default(6_000),
  region: matching(/^[a-z]{2,4}(-[a-z]+)+-\d$/, "a region such as eu-west-1").optional(),
  kinesisEndpoint: text().optional(),
  kinesisPort: wholeNumber({ min: 1, max: 65_535 }).optional(),
  cloudwatchEndpoint: text().optional(),
  cloudwatchPort: wholeNumber({ min: 1, max: 65_535 }).optional(),
  proxyHost: text().optional(),
  proxyPort: wholeNumber({ min: 1, max: 65_535 }).optional(),
  proxyUserName: text().optional(),
  proxyPassword: text().optional(),
  metricsLevel: oneOf("none", "summary", "detailed").default("detailed"),
  metricsGranularity: oneOf("global", "stream", "shard").default("shard"),
  metricsNamespace: matching(/^(?!AWS\/).{1,255}$/, "1 to 255 characters, not AWS/…").default(
    "KinesisProducerLibrary",
  ),
  metricsUploadDelay: wholeNumber({ min: 1, max: 60_000, of: "milliseconds" }).default(60_000),
  logLevel: oneOf("trace", "debug", "info", "warning", "error").default("info"),
};

const ourKeys = {
  streamName: matching(
    /^[a-zA-Z0-9_.-]{1,128}$/,
    "a stream name: 1 to 128 of the characters a-z A-Z 0-9 _ . -",
  ).optional(),
  ordering: oneOf("key", "none").default("key"),
  onPermanentError: oneOf("fail", "wait").optional(),
  maxInFlightBytes: wholeNumber({ min: 2 ** 20, max: 16 * GIB, of: "bytes" }).default(2 ** 25),
  closeTimeoutMillis: wholeNumber({ min: 0, of: "milliseconds" }).default(30_000),
  spill: text().optional(),
  AwsCredentialsProvider: text().optional(),
};

export const producerSchema = z.object({ ...kplKeys, ...ourKeys });

export type ProducerValues = z.output<typeof producerSchema>;

export type ProducerKey = keyof ProducerValues;

export const producerKeys = Object.keys(producerSchema.shape) as ProducerKey[];

/** What the KPL does while a key is not set, where that differs. */
export const kplDefaults: { readonly [K in ProducerKey]?: string } = {
  maxUserRecordSize: "1048576",
  recordTtl: "30000",
  rateLimit: "150",
};

/** Whether the KPL knows the key. */
export function isKplKey(key: ProducerKey): boolean {
  return Object.hasOwn(kplKeys, key);
}

/** Keys of the KPL that do nothing here, each with its reason. */
export const ignoredProducerKeys: Readonly<Record<string, string>> = {
  MinConnections: "connections are opened when they are needed, as in the KPL",
  ConnectTimeout: "connecting takes at most 5 s",
  StsEndpoint: "the KPL has not used it since 1.0.5; set AWS_ENDPOINT_URL_STS",
  StsPort: "the KPL has not used it since 1.0.5; set AWS_ENDPOINT_URL_STS",
  VerifyCertificate: "certificates are always verified; add your own with NODE_EXTRA_CA_CERTS",
  CaCertPath: "set NODE_EXTRA_CA_CERTS",
  CaCertFile: "set NODE_EXTRA_CA_CERTS",
  CredentialsRefreshDelay: "credentials are renewed before they expire",
  ThreadingModel: "there are no threads",
  ThreadPoolSize: "there are no threads",
  UserRecordTimeoutInMillis: "set recordTtl, which really ends the attempts",
  EnableOldestFutureTracker: "UserRecordsPending costs nothing here",
  ReturnUserRecordOnFailure: "a result names the record by its id",
  EnableDaemonHealthCheck: "there is no child process",
  DaemonHealthCheckTimeoutMs: "there is no child process",
  EnableCoreDumps: "there is no child process",
  TempDirectory: "nothing is extracted",
  NativeExecutable: "there is no native executable",
  GlueSchemaRegistryPropertiesFilePath: "schemas are not supported; payloads are sent as they are",
};
