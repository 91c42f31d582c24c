// Ensures that a stream exists and accepts records: creates it if that is wanted, and waits for it.

import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ResourceInUseException,
  ResourceNotFoundException,
  type StreamDescriptionSummary,
} from "@aws-sdk/client-kinesis";
import { type Clock, systemClock } from "../clock.ts";
import { UserError } from "../model/errors.ts";

export interface WantedStream {
  readonly streamName: string;
  /** The number of shards to create the stream with; when absent, the stream must exist. */
  readonly createWithShards?: number;
}

export interface ReadyStream {
  readonly openShards: number;
  readonly created: boolean;
}

// An account may call DescribeStreamSummary 20 times per second.
const POLL_MS = 250;
// A new stream is usually ACTIVE within a minute.
const ACTIVE_LIMIT_MS = 300_000;

/**
 * Returns when the stream accepts records (ACTIVE, or UPDATING while it is resharded), or when the
 * signal is aborted.
 *
 * @throws UserError when the stream does not exist and may not be created, when it is being
 * deleted,
 *   or when it is not ready after 5 minutes.
 */
export async function ensureStream(
  client: KinesisClient,
  { streamName, createWithShards }: WantedStream,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<ReadyStream> {
  const created =
    createWithShards !== undefined && (await create(client, streamName, createWithShards));
  const deadline = clock.monotonicMs() + ACTIVE_LIMIT_MS;
  while (true) {
    const stream = await describe(client, streamName);
    const status = stream?.StreamStatus;
    if (status === "ACTIVE" || status === "UPDATING" || signal.aborted) {
      return { openShards: stream?.OpenShardCount ?? 0, created };
    }
    // A stream that was just created may not be visible yet.
    if (stream === undefined && !created) throw await missing(client, streamName);
    if (status === "DELETING") {
      throw new UserError(
        `Stream ${streamName} is being deleted. Wait until it is gone, then create it with --create.`,
      );
    }
    if (clock.monotonicMs() > deadline) {
      throw new UserError(
        `Stream ${streamName} is still ${status ?? "not visible"} after ${ACTIVE_LIMIT_MS / 60_000} minutes. Check its state in the AWS console.`,
      );
    }
    await clock.sleep(POLL_MS, signal);
  }
}

async function create(client: KinesisClient, streamName: string, shards: number): Promise<boolean> {
  try {
    await client.send(
      new CreateStreamCommand({
        StreamName: streamName,
        ShardCount: shards,
        StreamModeDetails: { StreamMode: "PROVISIONED" },
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof ResourceInUseException) return false;
    throw error;
  }
}

async function describe(
  client: KinesisClient,
  streamName: string,
): Promise<StreamDescriptionSummary | undefined> {
  try {
    const found = await client.send(new DescribeStreamSummaryCommand({ StreamName: streamName }));
    return found.StreamDescriptionSummary;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function missing(client: KinesisClient, streamName: string): Promise<UserError> {
  const region = await client.config.region();
  return new UserError(
    `There is no stream ${streamName} in ${region} for these credentials. Create it with --create --shards 1, ` +
      `or with: aws kinesis create-stream --stream-name ${streamName} --shard-count 1 --region ${region}`,
  );
}
