// The lease table and the stream that a command works on, and the clients for them. A properties
// file names both. The name of a table is enough where the file is not at hand.

import { dynamoClient } from "../aws/dynamoClient.ts";
import { kinesisClient } from "../aws/kinesisClient.ts";
import { awsOptions } from "../aws/options.ts";
import { type Clock, systemClock } from "../clock.ts";
import { leaseDirectoryIn } from "../config/leaseStore.ts";
import { loadSettings } from "../config/loadSettings.ts";
import type { ServiceSettings, Settings } from "../config/settings.ts";
import type { NamedStream } from "../config/streams.ts";
import type { Event } from "../events.ts";
import { dynamoStore } from "../leases/table/dynamoStore.ts";
import { type LeaseRows, leaseRows } from "../leases/table/rows.ts";
import { UserError } from "../model/errors.ts";
import type { InitialPosition } from "../model/shard.ts";
import { describedId } from "../stream/calls/describeStream.ts";
import type { CallOptions } from "../stream/calls/kinesisCalls.ts";
import type { StreamId } from "../stream/calls/streamId.ts";

export interface TargetOptions {
  readonly propertiesFile?: string;
  readonly table?: string;
  readonly region?: string;
  readonly endpoint?: string;
}

/** What is needed to read the stream. */
export interface TargetStream {
  readonly stream: StreamId;
  readonly name: string;
  /** What the ids of its shards begin with, if that is known (model/shardKey.ts). */
  readonly streamId?: string;
  readonly initialPosition: InitialPosition;
  readonly calls: CallOptions;
}

export interface Target {
  readonly rows: LeaseRows;
  /**
   * How long a lease lasts without renewal: the value of the properties file, else KCL's default.
   */
  readonly failoverTimeMillis: number;
  /** The streams of the application; none when the user named only a table. */
  readonly sources: readonly TargetStream[];
  /** Whether the ids of shards contain the stream. */
  readonly isMultiStream: boolean;
  /**
   * `table words in eu-west-1`, followed by the endpoint if it is not AWS's own; or the directory.
   */
  readonly where: string;
  readonly clock: Clock;
  close(): void;
}

const DEFAULT_FAILOVER_MS = 10_000;
const REQUEST_TIMEOUT_MS = 10_000;

/** @throws UserError when the options contradict each other, or the configuration is wrong. */
export async function openTarget(options: TargetOptions): Promise<Target> {
  const { propertiesFile, table } = options;
  if (propertiesFile && table)
    throw new UserError("Give either -p FILE or --table NAME, not both.");
  if (propertiesFile && (options.region || options.endpoint)) {
    throw new UserError(
      "Use --region and --endpoint only with --table NAME. With -p FILE, the file sets both.",
    );
  }
  if (propertiesFile) {
    const { settings } = loadSettings({ file: propertiesFile });
    return open(settings.tableName, settings, settings);
  }
  if (!table)
    throw new UserError("Name a properties file (-p FILE) or a lease table (--table NAME).");
  return open(table, servicesOf(options), undefined);
}

function servicesOf({ region, endpoint }: TargetOptions): Pick<Settings, "services"> {
  const service: ServiceSettings = {
    credentials: [{ type: "default" }],
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
  };
  return { services: { kinesis: service, dynamodb: service, cloudwatch: service } };
}

async function open(
  tableName: string,
  services: Pick<Settings, "services">,
  settings: Settings | undefined,
): Promise<Target> {
  quietSdk();
  const directory = leaseDirectoryIn(settings?.leaseStore);
  const leases = await (directory === undefined
    ? inDynamo(tableName, services)
    : inDirectory(directory, tableName));
  const sources = settings ? await openStreams(settings) : [];
  return {
    rows: leases.rows,
    failoverTimeMillis: settings?.failoverTimeMillis ?? DEFAULT_FAILOVER_MS,
    sources,
    isMultiStream: settings?.streams !== undefined,
    where: leases.where,
    clock: systemClock,
    close: () => {
      leases.close();
      for (const { calls } of sources) calls.client.destroy();
    },
  };
}

type Leases = Pick<Target, "rows" | "where" | "close">;

async function inDynamo(tableName: string, services: Pick<Settings, "services">): Promise<Leases> {
  const reach = await awsOptions(services, "dynamodb", { emit: printNotes });
  const dynamo = await dynamoClient(reach);
  return {
    rows: leaseRows(dynamoStore(dynamo, tableName)),
    where: `table ${tableName} in ${reach.region}${reach.endpoint ? ` (${reach.endpoint})` : ""}`,
    close: () => dynamo.destroy(),
  };
}

async function inDirectory(path: string, tableName: string): Promise<Leases> {
  const { LeaseDirectory } = await import("../leases/file/leaseDirectory.ts");
  const directory = new LeaseDirectory(path, tableName, systemClock);
  return {
    rows: leaseRows(directory),
    where: `the directory ${directory.name}`,
    close: () => void directory.close(),
  };
}

export async function openStreams(settings: Settings): Promise<readonly TargetStream[]> {
  const { streamName, streamArn, streams, initialPosition } = settings;
  const client = kinesisClient(await awsOptions(settings, "kinesis", { emit: printNotes }));
  const calls = { client, clock: systemClock, requestTimeoutMs: REQUEST_TIMEOUT_MS };
  const single = { streamName, ...(streamArn && { arn: streamArn.arn }) };
  return (streams ?? [single]).map((named: NamedStream) => ({
    stream: named.arn === undefined ? { streamName: named.streamName } : { streamARN: named.arn },
    name: named.streamName,
    ...(named.streamId !== undefined && { streamId: named.streamId }),
    initialPosition,
    calls,
  }));
}

/**
 * The stream that the user named, with the identifier of its shards where the application reads
 * several.
 *
 * @throws UserError when there is no such stream, or the user has to name one of several.
 */
export async function chooseStream(
  { sources, isMultiStream }: Target,
  name: string | undefined,
  signal: AbortSignal,
): Promise<TargetStream> {
  const [first, second] = sources;
  if (!first) {
    throw new UserError("This needs the stream, which only a properties file names: use -p FILE.");
  }
  const names = sources.map((source) => source.name).join(", ");
  if (name === undefined && second) {
    throw new UserError(`The application reads ${names}. Name one of them with --stream NAME.`);
  }
  const source = name === undefined ? first : sources.find((each) => each.name === name);
  if (!source) {
    throw new UserError(`The application does not read a stream ${name}. It reads ${names}.`);
  }
  if (!isMultiStream || source.streamId !== undefined) return source;
  const options = { ...source.calls, emit: printTroubles, signal };
  return { ...source, streamId: await describedId(options, source.stream) };
}

function printTroubles(event: Event): void {
  if (event.type === "serviceTrouble") console.error(`… ${event.operation}: ${event.error}`);
}

/**
 * Turns off the SDK's warning about Node 20, which would appear in the middle of the output. These
 * commands start no child that could inherit the variable.
 */
export function quietSdk(): void {
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
}

const printed = new Set<string>();

/** Prints each warning once, on STDERR. */
function printNotes(event: Event): void {
  if (event.type !== "configWarning" || printed.has(event.message)) return;
  printed.add(event.message);
  console.error(`note: ${event.message}`);
}
