// Chooses how shards are read: by polling, by enhanced fan-out, or by fan-out with polling as
// fallback.

import type { KinesisClient } from "@aws-sdk/client-kinesis";
import { subscriptionClient } from "../aws/kinesisClient.ts";
import type { AwsOptions } from "../aws/options.ts";
import { systemClock } from "../clock.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import type { Emit } from "../events.ts";
import type { ByteBudget } from "../stream/budget/byteBudget.ts";
import type { StreamId } from "../stream/calls/streamId.ts";
import { pollingReader } from "../stream/polling/pollingReader.ts";
import type { ReadShard } from "../stream/reader.ts";

export interface ReadingParts {
  readonly client: KinesisClient;
  /** The options from which the client was made. */
  readonly reach: AwsOptions;
  readonly stream: StreamId;
  /** Of all applications of the process. */
  readonly budget: ByteBudget;
  readonly emit: Emit;
  /** Aborted when the daemon stops. */
  readonly signal: AbortSignal;
}

export interface Reading {
  readonly read: ReadShard;
  close(): void;
}

export async function openReading(
  { settings, sources }: LoadedSettings,
  { client, reach, stream, budget, emit, signal }: ReadingParts,
): Promise<Reading> {
  const { initialPosition, retrieval, fanoutConfig, aggregateHashRangeCheck } = settings;
  const common = {
    client,
    stream,
    initialPosition,
    budget,
    clock: systemClock,
    emit,
    aggregateHashRangeCheck,
    keepsMisplaced: settings.onFailureDestination !== undefined,
  };
  const idleSet = sources.idleTimeBetweenReadsInMillis.type !== "default";
  const polling = () =>
    pollingReader({
      ...common,
      settings: {
        maxRecords: settings.maxRecords,
        millisBehindLatestThresholdForReducedTps: settings.millisBehindLatestThresholdForReducedTps,
        // If the user has not set it, the interval follows the shard.
        idleTimeBetweenReadsInMillis: idleSet ? settings.idleTimeBetweenReadsInMillis : undefined,
      },
    });
  if (retrieval === "POLLING") return { read: polling(), close() {} };

  const { fanoutReader } = await import("../stream/fanout/fanoutReader.ts");
  const subscriptions = subscriptionClient({ ...reach, maxAttempts: 1, emit });
  const read = fanoutReader({
    ...common,
    subscriptionClient: subscriptions,
    settings: fanoutConfig,
    signal,
    ...(retrieval === "AUTO" && { polling: polling() }),
  });
  return { read, close: () => subscriptions.destroy() };
}
