// The Kinesis clients of the program, with our protocol: one for calls, over a bounded number of connections that are kept
// and write an answer straight into its place, and one for subscriptions, each of which has a connection to itself for minutes.

import { KinesisClient, type KinesisClientConfig } from "@aws-sdk/client-kinesis";
import { NodeHttp2Handler, NodeHttpHandler } from "@smithy/node-http-handler";
import { takeBuffer } from "../spareBuffers.ts";
import { KeptConnections } from "./connections/keptConnections.ts";
import { RawRecordsProtocol } from "./kinesisProtocol.ts";
import { makeLean, USER_AGENT } from "./leanClient.ts";
import { renewRefusedKeys } from "./refusedKeys.ts";

export interface KinesisOptions {
  /** Absent: as the SDK finds it (environment, shared configuration). */
  readonly region?: string;
  /** A URL; absent: the region's own, or what `AWS_ENDPOINT_URL_KINESIS` says. */
  readonly endpoint?: string;
  /** Absent: the SDK's default chain. */
  readonly credentials?: NonNullable<KinesisClientConfig["credentials"]>;
  readonly useDualstackEndpoint?: boolean;
  readonly useFipsEndpoint?: boolean;
  /**
   * How often the SDK tries a call by itself; 3 when absent. A reader's client wants 1: the reader knows the shard, tells
   * of the trouble, and waits as long as it takes.
   */
  readonly maxAttempts?: number;
  /** From the beginning of a call to its whole answer; 60 s when absent. */
  readonly requestTimeoutMs?: number;
}

/** A shard has one call on its way at most, so with fewer shards than this none waits for another; beyond, calls wait for a free one. */
const MAX_CONNECTIONS = 256;
const CONNECT_TIMEOUT_MS = 5_000;
/**
 * No call hangs longer than this, whoever makes it: 5 MiB need no more over the slowest of lines. Readers have closer limits.
 */
const REQUEST_TIMEOUT_MS = 60_000;
/** The service sends at most 10 MiB of payload, 14 MiB as base64, and the names of at most 10,000 records. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Without one the SDK writes to STDERR when calls wait for a connection. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/**
 * A client for every operation of Kinesis. GetRecords alone answers with bytes (`RawGetRecordsOutput`): use `getRecords`.
 *
 * The SDK's own choice is HTTP/2, which needs TLS and does not get along with emulators; over HTTP/1.1 the length of a body is
 * known before it comes.
 */
export function kinesisClient({
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
  ...options
}: KinesisOptions = {}): KinesisClient {
  const make = () =>
    new KinesisClient({
      ...USER_AGENT,
      ...options,
      protocol: RawRecordsProtocol,
      requestHandler: new KeptConnections({
        maxConnections: MAX_CONNECTIONS,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        requestTimeoutMs,
        maxBodyBytes: MAX_BODY_BYTES,
        allocate: takeBuffer,
      }),
    });
  const client = withoutVersionWarning(make);
  makeLean(client);
  renewRefusedKeys(client, options.credentials);
  return client;
}

/** How much the service may send ahead over one connection, as Java asks for. Node's own choice is 64 KiB. */
export const WINDOW_BYTES = 512 * 1024;
/** A connection that is silent for longer than a subscription lasts is none. */
const SESSION_TIMEOUT_MS = 360_000;

/**
 * A client for SubscribeToShard alone, which answers with a stream of bytes (`RawSubscribeToShardOutput`).
 *
 * @param http2 the service insists on it. Emulators behind `http://` are spoken to in HTTP/1.1: the one that is embedded
 *   here ends the SDK's HTTP/2 connections with a protocol error.
 */
export function subscriptionClient(
  options: KinesisOptions,
  http2 = !options.endpoint?.startsWith("http:"),
): KinesisClient {
  const requestHandler = http2
    ? new NodeHttp2Handler({
        disableConcurrentStreams: true,
        sessionTimeout: SESSION_TIMEOUT_MS,
        nodeHttp2ConnectOptions: {
          settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
        },
      })
    : new NodeHttpHandler({
        connectionTimeout: CONNECT_TIMEOUT_MS,
        logger: SILENT,
        httpAgent: { maxSockets: Number.POSITIVE_INFINITY },
        httpsAgent: { maxSockets: Number.POSITIVE_INFINITY },
      });
  const client = withoutVersionWarning(
    () => new KinesisClient({ ...options, protocol: RawRecordsProtocol, requestHandler }),
  );
  renewRefusedKeys(client, options.credentials);
  return client;
}

const WARNING_SWITCH = "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED";

/** The SDK looks once, when the first client is made; children should not inherit the switch. */
export function withoutVersionWarning<T>(make: () => T): T {
  const before = process.env[WARNING_SWITCH];
  process.env[WARNING_SWITCH] = "true";
  try {
    return make();
  } finally {
    if (before === undefined) delete process.env[WARNING_SWITCH];
    else process.env[WARNING_SWITCH] = before;
  }
}
