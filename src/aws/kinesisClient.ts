// The program's Kinesis clients. `kinesisClient` makes calls over a bounded pool of connections
// that read a response directly into its final buffer. `subscriptionClient` gives each subscription
// its own connection for minutes.

import { KinesisClient, type KinesisClientConfig } from "@aws-sdk/client-kinesis";
import { NodeHttp2Handler, NodeHttpHandler } from "@smithy/node-http-handler";
import { takeBuffer } from "../buffers.ts";
import type { Emit } from "../events.ts";
import { removeOverhead, USER_AGENT } from "./clientOverhead.ts";
import { KeptConnections } from "./connections/keptConnections.ts";
import { connectHttp2 } from "./connections/proxied.ts";
import { RawRecordsProtocol } from "./kinesisProtocol.ts";
import { renewRefusedKeys } from "./refusedKeys.ts";
import { watchCalls } from "./watchedCalls.ts";

export interface KinesisOptions {
  /** Absent: from the SDK (environment, shared configuration). */
  readonly region?: string;
  /** A URL. Absent: the endpoint of the region, or `AWS_ENDPOINT_URL_KINESIS`. */
  readonly endpoint?: string;
  /** Absent: the SDK's default chain. */
  readonly credentials?: NonNullable<KinesisClientConfig["credentials"]>;
  readonly useDualstackEndpoint?: boolean;
  readonly useFipsEndpoint?: boolean;
  /**
   * Attempts of the SDK for each call; 3 when absent. Readers need 1: they retry themselves, report
   * the failure for its shard, and never give up.
   */
  readonly maxAttempts?: number;
  /** Receives an event for each call. */
  readonly emit?: Emit;
  /** From the start of a call to the end of its response; 60 s when absent. */
  readonly requestTimeoutMs?: number;
}

/** A shard has at most one call in flight. With more shards, calls wait for a free connection. */
const MAX_CONNECTIONS = 256;
const CONNECT_TIMEOUT_MS = 5_000;
/** Enough for 5 MiB over a very slow line. Readers set a shorter limit. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Kinesis sends at most 10 MiB of payload (14 MiB as base64) and the fields of 10,000 records. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;
/** Without a logger the SDK writes to STDERR when calls wait for a connection. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/**
 * A client for every operation of Kinesis except SubscribeToShard. GetRecords returns bytes
 * (`RawGetRecordsOutput`): call it with the class `GetRecords`.
 *
 * The SDK would use HTTP/2, which needs TLS and fails with emulators. HTTP/1.1 also announces the
 * length of a body, so that its final buffer can be allocated first.
 */
export function kinesisClient({
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
  emit,
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
  removeOverhead(client);
  renewRefusedKeys(client, options.credentials);
  watchCalls(client, "kinesis", emit);
  return client;
}

/** The HTTP/2 window of a connection: the value of the Java client. Node's default is 64 KiB. */
export const WINDOW_BYTES = 512 * 1024;
/** Longer than a subscription lasts (5 minutes): a connection that is silent for longer is dead. */
const SESSION_TIMEOUT_MS = 360_000;

/**
 * A client for SubscribeToShard, which returns a stream of bytes (`RawSubscribeToShardOutput`).
 *
 * @param http2 Kinesis requires it. Emulators behind `http://` use HTTP/1.1, because the embedded
 *   one closes the SDK's HTTP/2 connections with a protocol error.
 */
export function subscriptionClient(
  { emit, ...options }: KinesisOptions,
  http2 = !options.endpoint?.startsWith("http:"),
): KinesisClient {
  const requestHandler = http2
    ? new NodeHttp2Handler({
        disableConcurrentStreams: true,
        sessionTimeout: SESSION_TIMEOUT_MS,
        nodeHttp2ConnectOptions: {
          settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
          createConnection: (authority) => connectHttp2(authority),
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
  watchCalls(client, "kinesis", emit);
  return client;
}

const WARNING_SWITCH = "AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED";

/**
 * Suppresses the SDK's warning about the Node version. The SDK reads the variable when the first
 * client is made. It is set for that moment only, so that children do not inherit it.
 */
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
