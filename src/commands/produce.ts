// `kinesis-multilang produce`: puts records into streams as the Kinesis Producer Library does: from
// lines on STDIN, by the producer protocol, or for clients at a socket.

import { createHash, randomUUID } from "node:crypto";
import { Command, InvalidArgumentError, Option } from "commander";
import { systemClock } from "../clock.ts";
import { formatProblem } from "../config/configError.ts";
import type { LoadedProducer } from "../config/producer/loadProducer.ts";
import { useProxy } from "../config/producer/proxy.ts";
import type { Emit } from "../events.ts";
import { type LogLevel, logEvents } from "../listeners/log.ts";
import { UserError } from "../model/errors.ts";
import { parseHttpAddress } from "../model/httpAddress.ts";
import type { ProducerCore } from "../producer/core.ts";
import type { ClientParts } from "../producer/protocol/listen.ts";
import { type ListenAddress, parseListenAddress } from "../producer/protocol/listenAddress.ts";
import type { Totals } from "../producer/protocol/session.ts";
import { endpointUrl } from "./numbers.ts";
import type { TcpAddress } from "./producerMetrics.ts";

interface ProduceArguments {
  readonly stream?: string;
  readonly propertiesFile?: string;
  readonly protocol: boolean;
  readonly listen: readonly ListenAddress[];
  readonly http?: TcpAddress;
  readonly keyFromHash: boolean;
  readonly region?: string;
  readonly endpoint?: string;
}

export function produceCommand(): Command {
  return new Command("produce")
    .summary("put records as the Kinesis Producer Library does")
    .description(
      "Collects records, aggregates them per shard, and puts them into Kinesis until they are stored. " +
        "Without --protocol and --listen, every line of STDIN is one record.",
    )
    .option("-s, --stream <name>", "the stream of records that name none")
    .option("-p, --properties-file <file>", "a properties file, such as one of the KPL")
    .addOption(
      new Option("--protocol", "speak the producer protocol on STDIN and STDOUT")
        .default(false)
        .conflicts(["listen", "keyFromHash"]),
    )
    .option(
      "--listen <address>",
      "accept clients at unix:PATH or http://127.0.0.1:PORT (may be repeated)",
      collectAddress,
      [],
    )
    .option("--http <address>", "serve metrics for Prometheus at HOST:PORT", metricsAddress)
    .option("--key-from-hash", "partition key of a line: its MD5, in place of a random one", false)
    .option("-r, --region <name>", "the AWS region (or AWS_REGION)")
    .option("--endpoint <url>", "the Kinesis endpoint (or AWS_ENDPOINT_URL_KINESIS)", endpointUrl)
    .action(async (options: ProduceArguments) => {
      process.exitCode = await produce(options);
    });
}

/** @returns the exit code. */
async function produce(options: ProduceArguments): Promise<number> {
  process.stderr.on("error", () => {});
  const { loadProducer } = await import("../config/producer/loadProducer.ts");
  const { stream, region, endpoint, propertiesFile: file } = options;
  const loaded = loadProducer({
    file,
    flags: {
      ...(stream !== undefined && { streamName: stream }),
      ...(region !== undefined && { region }),
      ...(endpoint !== undefined && { kinesisEndpoint: endpoint }),
    },
  });
  const emit = log(loaded.values.logLevel);
  for (const { level, ...problem } of loaded.warnings) {
    emit({
      type: level === "warning" ? "configWarning" : "configNotice",
      message: formatProblem(problem),
    });
  }
  checkStream(options, loaded);
  useProxy(loaded.values, process.env);
  // Loading the SDK takes a noticeable part of a second, so the configuration is checked first.
  const { connect } = await import("../producer/connect.ts");
  const { ProducerCore } = await import("../producer/core.ts");
  const { openProducerMetrics } = await import("./producerMetrics.ts");
  const { values: settings, service } = loaded;
  const connection = connect({ service, requestTimeoutMs: settings.requestTimeout, emit });
  await connection.check();
  const { callsOf } = connection;
  const { spill, left: recovered } = await openSpill(settings.spill, emit);
  const core = new ProducerCore({ settings, callsOf, clock: systemClock, emit, spill });
  if (settings.streamName !== undefined) core.prepare(settings.streamName);
  let metrics: Awaited<ReturnType<typeof openProducerMetrics>> | undefined;
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt).once("SIGHUP", interrupt);
  try {
    metrics = await openProducerMetrics({
      loaded,
      isConfigured: file !== undefined,
      http: options.http,
      core,
      clock: systemClock,
      emit,
    });
    for (const record of recovered) await core.putAgain(record);
    const totals = await run(options, loaded, core, emit, stop.signal);
    // Records of an earlier run belong to no client.
    const limitMs = totals.notStored > 0 ? 0 : settings.closeTimeoutMillis;
    const left = await core.close(limitMs);
    return totals.failed + totals.notStored + left === 0 ? 0 : 1;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt).off("SIGHUP", interrupt);
    await core.close(0);
    await metrics?.close();
    await spill?.close();
    connection.destroy();
    // An input that stays open would keep the process alive.
    process.stdin.destroy();
  }
}

async function run(
  { protocol, listen: addresses, keyFromHash }: ProduceArguments,
  { values }: LoadedProducer,
  core: ProducerCore,
  emit: Emit,
  signal: AbortSignal,
): Promise<Totals> {
  const { streamName: stream, maxInFlightBytes, closeTimeoutMillis: closeTimeoutMs } = values;
  const parts: ClientParts = {
    core,
    stream,
    maxInFlightBytes,
    closeTimeoutMs,
    keepsOnDisk: values.spill !== undefined,
    clock: systemClock,
    emit,
  };
  if (protocol) {
    const { Session } = await import("../producer/protocol/session.ts");
    const session = new Session({ ...parts, input: process.stdin, output: process.stdout });
    return session.run(signal);
  }
  if (addresses.length > 0) return serve(addresses, parts, signal);
  const { produceLines } = await import("../put/produceLines.ts");
  return produceLines({
    core,
    streamName: stream ?? "",
    input: process.stdin,
    partitionKey: keyFromHash
      ? (data) => createHash("md5").update(data).digest("hex")
      : () => randomUUID(),
    output: process.stderr,
    clock: systemClock,
    signal,
    closeTimeoutMs,
  });
}

async function openSpill(folder: string | undefined, emit: Emit) {
  if (folder === undefined) return { spill: undefined, left: [] };
  const { Spill } = await import("../producer/spill/spill.ts");
  return Spill.open(folder, emit);
}

async function serve(
  addresses: readonly ListenAddress[],
  parts: ClientParts,
  signal: AbortSignal,
): Promise<Totals> {
  const { listen } = await import("../producer/protocol/listen.ts");
  const listening = await Promise.all(addresses.map((address) => listen(address, parts)));
  for (const { address } of listening) parts.emit({ type: "producerListening", address });
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const totals = (await Promise.all(listening.map(({ stop }) => stop()))).flat();
  const sum = (of: keyof Totals) => totals.reduce((all, each) => all + each[of], 0);
  const all = { stored: sum("stored"), failed: sum("failed"), notStored: sum("notStored") };
  parts.emit({ type: "producerClosed", ...all });
  return all;
}

function checkStream({ protocol, listen }: ProduceArguments, { values }: LoadedProducer): void {
  if (protocol || listen.length > 0) return;
  if (values.streamName === undefined) {
    throw new UserError("The stream is missing. Name it with --stream, or set streamName.");
  }
  if (process.stdin.isTTY) {
    throw new UserError("There is nothing to put. Give lines on STDIN, or use --protocol.");
  }
}

function log(level: LoadedProducer["values"]["logLevel"]): Emit {
  const lowest: LogLevel = level === "warning" ? "warn" : level;
  return logEvents({
    level: lowest,
    format: process.stderr.isTTY ? "text" : "json",
    now: Date.now,
    write: (line) => process.stderr.write(line),
  });
}

function collectAddress(text: string, before: readonly ListenAddress[]): readonly ListenAddress[] {
  const address = parseListenAddress(text);
  if (typeof address === "string") throw new InvalidArgumentError(`${address}.`);
  return [...before, address];
}

function metricsAddress(text: string): TcpAddress {
  const address = parseHttpAddress(text);
  if (address?.type === "tcp") return address;
  throw new InvalidArgumentError("Allowed: HOST:PORT, such as 127.0.0.1:9100.");
}
