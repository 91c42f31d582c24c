// `kinesis-multilang local`: runs the embedded Kinesis and DynamoDB, for any program that can be
// configured with an endpoint.

import { once } from "node:events";
import { Command } from "commander";
import { LOCAL_CREDENTIALS, LOCAL_REGION, startDynamo, startKinesis } from "../local/services.ts";
import { numberFrom } from "./numbers.ts";

interface LocalArguments {
  readonly kinesisPort: number;
  readonly dynamodbPort: number;
  readonly stream: readonly string[];
  readonly shards: number;
}

const ANY_PORT = 0;
const port = numberFrom({ min: 0, max: 65_535, integer: true });

export function localCommand(): Command {
  return new Command("local")
    .summary("run an embedded Kinesis and DynamoDB")
    .description(
      "Runs a Kinesis and a DynamoDB on 127.0.0.1, in memory, until Ctrl-C. Prints the settings with which a program uses them.",
    )
    .option("--kinesis-port <port>", "port of Kinesis (0: any free port)", port, ANY_PORT)
    .option("--dynamodb-port <port>", "port of DynamoDB (0: any free port)", port, ANY_PORT)
    .option("-s, --stream <name...>", "create a stream (may be repeated)", collect, [])
    .option(
      "--shards <n>",
      "number of shards of each stream",
      numberFrom({ min: 1, max: 1_000, integer: true }),
      1,
    )
    .action(local);
}

async function local(options: LocalArguments): Promise<void> {
  const interrupted = Promise.race(
    ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => once(process, signal)),
  );
  const started = await Promise.allSettled([
    startKinesis({ port: options.kinesisPort }),
    startDynamo({ port: options.dynamodbPort }),
  ]);
  const services = started.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  try {
    const [kinesis, dynamo] = started;
    if (kinesis.status === "rejected") throw kinesis.reason;
    if (dynamo.status === "rejected") throw dynamo.reason;
    await createStreams(kinesis.value.url, options);
    console.log(settings(kinesis.value.url, dynamo.value.url, options.stream));
    console.error("Running until Ctrl-C. All data is in memory and is lost at the end.");
    const failure = await Promise.race([
      interrupted.then(() => undefined),
      kinesis.value.ended.then((how) => `The local Kinesis ended unexpectedly: ${how}`),
      dynamo.value.ended.then((how) => `The local DynamoDB ended unexpectedly: ${how}`),
    ]);
    if (failure !== undefined) throw new Error(failure);
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
}

async function createStreams(endpoint: string, { stream, shards }: LocalArguments): Promise<void> {
  if (stream.length === 0) return;
  const { ensureStream } = await import("../put/ensureStream.ts");
  const { kinesisClient } = await import("../aws/kinesisClient.ts");
  const client = kinesisClient({ endpoint, region: LOCAL_REGION, credentials: LOCAL_CREDENTIALS });
  const never = new AbortController().signal;
  await Promise.all(
    stream.map((streamName) =>
      ensureStream(client, { streamName, createWithShards: shards }, never),
    ),
  );
  client.destroy();
}

/**
 * Text for a shell and for the reader: `eval "$(…)"` runs the exports; the properties are comments.
 */
function settings(kinesisUrl: string, dynamoUrl: string, streams: readonly string[]): string {
  const environment = {
    AWS_ENDPOINT_URL_KINESIS: kinesisUrl,
    AWS_ENDPOINT_URL_DYNAMODB: dynamoUrl,
    AWS_REGION: LOCAL_REGION,
    AWS_ACCESS_KEY_ID: LOCAL_CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: LOCAL_CREDENTIALS.secretAccessKey,
  };
  const properties = {
    kinesisEndpoint: kinesisUrl,
    dynamoDBEndpoint: dynamoUrl,
    regionName: LOCAL_REGION,
    // The fan-out of kinesis-local does not report the children of a finished shard.
    retrievalMode: "POLLING",
    ...(streams[0] ? { streamName: streams[0] } : {}),
  };
  return [
    "# Environment of any program that uses an AWS SDK or the aws command:",
    ...Object.entries(environment).map(([name, value]) => `export ${name}=${value}`),
    "",
    "# Lines of a .properties file (the credentials come from the environment):",
    ...Object.entries(properties).map(([name, value]) => `#   ${name} = ${value}`),
  ].join("\n");
}

function collect(name: string, before: readonly string[]): readonly string[] {
  return [...before, name];
}
