// Runs the doctor's checks one after the other. Checks that depend on a failed one are reported as
// not checked.

import { dynamoClient } from "../../aws/dynamoClient.ts";
import { kinesisClient, subscriptionClient } from "../../aws/kinesisClient.ts";
import { systemClock } from "../../clock.ts";
import { leaseDirectoryIn } from "../../config/leaseStore.ts";
import type { LoadedSettings } from "../../config/loadSettings.ts";
import type { Settings } from "../../config/settings.ts";
import { type StreamId, streamNameOf } from "../../stream/calls/streamId.ts";
import { quietSdk } from "../target.ts";
import { ClockSkew } from "./clockSkew.ts";
import { type Finding, notChecked } from "./finding.ts";
import { hasOwnerIndex } from "./fleet.ts";
import { checkCredentials, checkRegion } from "./identity.ts";
import { checkLeaseDirectory } from "./leaseDirectory.ts";
import { checkLeaseTable } from "./leaseTable.ts";
import { checkConsumers, checkThroughput } from "./limits.ts";
import { checkChildProgram, checkProperties } from "./local.ts";
import { checkPermissions } from "./permissions.ts";
import { checkPlaces } from "./places.ts";
import { checkStream } from "./stream.ts";

const REQUEST_TIMEOUT_MS = 10_000;
const AFTER_PROPERTIES = ["executable", "credentials", "region"];
const AFTER_REGION = [
  "stream",
  "permissions",
  "lease table",
  "clock",
  "consumer limit",
  "read limit",
];

/** Yields the findings in a fixed order, each as soon as it is known. */
export async function* examine(file: string, signal: AbortSignal): AsyncIterable<Finding> {
  quietSdk();
  const { finding, loaded } = checkProperties(file);
  yield finding;
  if (!loaded) {
    yield* skipped([...AFTER_PROPERTIES, ...AFTER_REGION], "the properties file has errors");
    return;
  }
  yield checkChildProgram(loaded.settings);
  const region = await checkRegion(loaded.settings);
  const credentials = await checkCredentials(
    loaded.settings,
    region.reached?.kinesis.region,
    signal,
  );
  yield* credentials;
  yield region.finding;
  const hasFailed = credentials.some(({ verdict }) => verdict === "failed");
  if (!region.reached || hasFailed) {
    yield* skipped(
      AFTER_REGION,
      hasFailed ? "there are no credentials that AWS accepts" : "no region is configured",
    );
    return;
  }
  yield* examineServices(loaded, region.reached, signal);
}

type Reached = NonNullable<Awaited<ReturnType<typeof checkRegion>>["reached"]>;

async function* examineServices(
  { settings }: LoadedSettings,
  reached: Reached,
  signal: AbortSignal,
): AsyncIterable<Finding> {
  const kinesis = kinesisClient({ ...reached.kinesis, maxAttempts: 2 });
  const subscriptions = subscriptionClient({ ...reached.kinesis, maxAttempts: 1 });
  const dynamo = await dynamoClient(reached.dynamodb);
  const clock = new ClockSkew();
  const innermost = { step: "deserialize", priority: "low" } as const;
  kinesis.middlewareStack.add((next) => (args) => clock.timed(() => next(args)), innermost);
  dynamo.middlewareStack.add((next) => (args) => clock.timed(() => next(args)), innermost);
  try {
    const calls = { client: kinesis, clock: systemClock, requestTimeoutMs: REQUEST_TIMEOUT_MS };
    const [stream, ...others] = streamsOf(settings);
    const streamCheck = await checkStream(settings, stream, calls, signal);
    yield of(stream, streamCheck.finding, settings);
    for (const other of others) {
      yield of(other, (await checkStream(settings, other, calls, signal)).finding, settings);
    }
    const shards = settings.streams ? undefined : streamCheck.facts?.shards;
    const directory = leaseDirectoryIn(settings.leaseStore);
    const table = await (directory === undefined
      ? checkLeaseTable(settings, dynamo, shards, signal)
      : checkLeaseDirectory(directory, settings, shards, signal));
    const { unusable: noTable, description } = table;
    const hasTable = description !== undefined;
    const hasIndex = hasOwnerIndex(description);
    yield* await checkPermissions({
      settings,
      stream,
      calls,
      subscriptions,
      dynamo,
      streamCheck,
      noTable,
      hasTable,
      hasIndex,
      signal,
    });
    yield* table.findings;
    if (settings.streams) {
      const why = "not available for several streams; a running daemon checks each of them";
      yield* skipped(["coverage", "consumer limit", "read limit"], why);
      return yield clock.check();
    }
    const { placed = [] } = table;
    yield* await checkPlaces(placed, shards ?? [], stream, calls, signal);
    yield clock.check();
    yield checkConsumers(settings, streamCheck.facts);
    yield* checkThroughput(settings, streamCheck.facts, table);
  } finally {
    kinesis.destroy();
    subscriptions.destroy();
    dynamo.destroy();
  }
}

/** Permissions are tested on the first one. */
function streamsOf({ streams, streamArn, streamName }: Settings): [StreamId, ...StreamId[]] {
  const [first, ...others] = (streams ?? []).map(
    (named): StreamId =>
      named.arn === undefined ? { streamName: named.streamName } : { streamARN: named.arn },
  );
  const single = streamArn ? { streamARN: streamArn.arn } : { streamName };
  return [first ?? single, ...others];
}

/** Names the stream where there are several. */
function of(stream: StreamId, finding: Finding, { streams }: Settings): Finding {
  return streams ? { ...finding, check: `stream ${streamNameOf(stream)}` } : finding;
}

function* skipped(checks: readonly string[], why: string): Iterable<Finding> {
  for (const check of checks) yield notChecked(check, why);
}
