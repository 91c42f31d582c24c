// `kinesis-multilang local`: the embedded Kinesis and DynamoDB alone, for anything that can be pointed at an endpoint.

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
    .summary("run a Kinesis and a DynamoDB on this machine")
    .description(
      "Runs a Kinesis and a DynamoDB on loopback, in memory, until Ctrl-C, and prints what points a program at them.",
    )
    .option("--kinesis-port <port>", "port of Kinesis (0 = any free one)", port, ANY_PORT)
    .option("--dynamodb-port <port>", "port of DynamoDB (0 = any free one)", port, ANY_PORT)
    .option("-s, --stream <name...>", "create a stream (may be repeated)", collect, [])
    .option(
      "--shards <n>",
      "shards of each stream",
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
    console.error("Running until Ctrl-C; everything is in memory and gone then.");
    const died = await Promise.race([
      interrupted.then(() => undefined),
      kinesis.value.ended.then((how) => `The local Kinesis ended by itself: ${how}`),
      dynamo.value.ended.then((how) => `The local DynamoDB ended by itself: ${how}`),
    ]);
    if (died !== undefined) throw new Error(died);
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

/** A text that is at once shell and explanation: `eval "$(…)"` takes the exports, a person the properties. */
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
    // Its fan-out never reports the children of a finished shard.
    retrievalMode: "POLLING",
    ...(streams[0] ? { streamName: streams[0] } : {}),
  };
  return [
    "# environment of any program that uses an AWS SDK or the aws command",
    ...Object.entries(environment).map(([name, value]) => `export ${name}=${value}`),
    "",
    "# lines of a .properties file (credentials still come from the environment)",
    ...Object.entries(properties).map(([name, value]) => `#   ${name} = ${value}`),
  ].join("\n");
}

function collect(name: string, before: readonly string[]): readonly string[] {
  return [...before, name];
}
