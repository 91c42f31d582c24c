// Chooses how shards are read: by polling, by enhanced fan-out, or by fan-out with polling as
// fallback.

import { subscriptionClient } from "../aws/kinesisClient.ts";
import type { AwsOptions } from "../aws/options.ts";
import { systemClock } from "../clock.ts";
import type { LoadedSettings } from "../config/loadSettings.ts";
import type { Emit } from "../events.ts";
import type { ByteBudget } from "../stream/budget/byteBudget.ts";
import { pollingReader } from "../stream/polling/pollingReader.ts";
import type { ReadShard } from "../stream/reader.ts";
import { type OpenStream, readOf } from "./streams.ts";

export interface ReadingParts {
  /** The options from which the streams' clients were made. */
  readonly reach: AwsOptions;
  readonly streams: readonly OpenStream[];
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
  { reach, streams, budget, emit, signal }: ReadingParts,
): Promise<Reading> {
  const { initialPosition, retrieval, fanoutConfig, aggregateHashRangeCheck } = settings;
  const common = {
    initialPosition,
    budget,
    clock: systemClock,
    aggregateHashRangeCheck,
    keepsMisplaced: settings.onFailureDestination !== undefined,
  };
  const idleSet = sources.idleTimeBetweenReadsInMillis.type !== "default";
  const polling = ({ client, stream, emit }: OpenStream) =>
    pollingReader({
      ...common,
      client,
      stream,
      emit,
      settings: {
        maxRecords: settings.maxRecords,
        millisBehindLatestThresholdForReducedTps: settings.millisBehindLatestThresholdForReducedTps,
        // If the user has not set it, the interval follows the shard.
        idleTimeBetweenReadsInMillis: idleSet ? settings.idleTimeBetweenReadsInMillis : undefined,
      },
    });
  const readers = (make: (stream: OpenStream) => ReadShard) =>
    readOf(new Map(streams.map((each) => [each.streamId, make(each)])));
  if (retrieval === "POLLING") return { read: readers(polling), close() {} };

  const { fanoutReader } = await import("../stream/fanout/fanoutReader.ts");
  const subscriptions = subscriptionClient({ ...reach, maxAttempts: 1, emit });
  const fanout = (each: OpenStream) => {
    const { client, stream, emit } = each;
    return fanoutReader({
      ...common,
      client,
      stream,
      emit,
      subscriptionClient: subscriptions,
      settings: fanoutConfig,
      signal,
      ...(retrieval === "AUTO" && { polling: polling(each) }),
    });
  };
  return { read: readers(fanout), close: () => subscriptions.destroy() };
}
