// Every property key of a connector: its type, bounds and default. The names of the first group are
// those of the Kinesis Connector Library. docs/connectors.md says what they mean.

import { z } from "zod";
import { endpoint, matching, millis, oneOf, text, wholeNumber, words } from "../values.ts";

/** Where a connector can write to. */
export const DESTINATIONS = [
  "file",
  "stdout",
  "socket",
  "http",
  "s3",
  "elasticsearch",
  "opensearch",
] as const;
export type DestinationName = (typeof DESTINATIONS)[number];

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** The library's value for a timer that is off: the largest value of Java's long. */
const JAVA_OFF = /^9223372036854775807$/;

const libraryKeys = {
  connectorDestination: oneOf(...DESTINATIONS).optional(),
  bufferRecordCountLimit: wholeNumber({ min: 1, max: 1_000_000 }).default(1_000),
  bufferByteSizeLimit: wholeNumber({ min: 1, max: GIB, of: "bytes" }).default(MIB),
  // The library's default is off: a quiet stream would keep its records back without end.
  bufferMillisecondsLimit: z
    .string()
    .transform((value) => (JAVA_OFF.test(value.trim()) ? String(2 ** 31 - 1) : value))
    .pipe(millis())
    .default(60_000),
  // The library's default is 3, after which it loses the records.
  retryLimit: wholeNumber({ min: 0, max: 1_000_000 }).optional(),
  backoffInterval: millis(1).default(10_000),
};

const pipelineKeys = {
  transformer: text().optional(),
  csvColumns: words().optional(),
  csvDelimiter: matching(/^(.|\\t)$/, "one character, or \\t").default(","),
  fields: text().optional(),
  filter: text().optional(),
  format: oneOf("ndjson", "csv", "raw", "length-prefixed").default("ndjson"),
};

const targetKeys = {
  path: text().optional(),
  address: matching(
    /^(unix:.+|tcp:.+:\d{1,5})$/,
    "unix:PATH or tcp:HOST:PORT, where a reader listens",
  ).optional(),
  url: matching(/^https?:\/\/\S+$/, "a URL that begins with https:// or http://").optional(),
  httpAuthorization: text().optional(),
  s3Bucket: matching(
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
    "the name of a bucket, without s3://",
  ).optional(),
  s3Endpoint: endpoint().optional(),
  prefix: z.string().trim().default(""),
  compression: oneOf("none", "gzip", "zstd").default("none"),
};

const searchKeys = {
  elasticsearchEndpoint: z.string().trim().min(1).default("localhost"),
  // The library's default is 9300, the port of the transport protocol.
  elasticsearchPort: wholeNumber({ min: 1, max: 65_535 }).default(9_200),
  elasticsearchDefaultIndexName: z.string().trim().min(1).default("index"),
  elasticsearchUsername: text().optional(),
  elasticsearchPassword: text().optional(),
  elasticsearchApiKey: text().optional(),
  documentId: z.string().trim().min(1).default("{shardId}:{sequenceNumber}:{subSequenceNumber}"),
  documentAction: oneOf("index", "create").default("index"),
  documentVersion: text().optional(),
  documentRouting: text().optional(),
  ingestPipeline: text().optional(),
};

export const connectorSchema = z.object({
  ...libraryKeys,
  ...pipelineKeys,
  ...targetKeys,
  ...searchKeys,
});

export type ConnectorValues = z.output<typeof connectorSchema>;
export type ConnectorKey = keyof ConnectorValues;

export const connectorKeys = Object.keys(connectorSchema.shape) as ConnectorKey[];

export function isConnectorKey(name: string): name is ConnectorKey {
  return Object.hasOwn(connectorSchema.shape, name);
}
